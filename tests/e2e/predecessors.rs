//! How earlier systems failed: each failure once.

pub(crate) mod json_assistants;
pub(crate) mod jsonl_issue_tracker;
pub(crate) mod shell_script_workflow;
pub(crate) mod shell_scripts;
pub(crate) mod sql_dumps_in_git;
