//! Steps that several commands share: restore, rehearse, migrate, find a backup, take a safety
//! backup.

pub(crate) mod back_up_each;
pub(crate) mod damage_report;
mod dump_drill;
pub(crate) mod dump_source;
pub(crate) mod find_backup;
pub(crate) mod hook_blocks;
pub(crate) mod label_or_pin;
pub(crate) mod late_schedule;
pub(crate) mod list_document;
pub(crate) mod migration;
pub(crate) mod optional_feature;
pub(crate) mod reclaim_packs;
pub(crate) mod restore;
pub(crate) mod retain;
pub(crate) mod rolling_share;
pub(crate) mod state_document;
pub(crate) mod status_lines;
pub(crate) mod verify_one;
