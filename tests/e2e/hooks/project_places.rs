//! A project may be in a folder with any name, below its repository, in a work tree of a bare one or in
//! a submodule; and git may look for hooks in several places.

use std::path::{Path, PathBuf};

use crate::support::sandbox::{Said, Sandbox, open};

/// A project somewhere below the sandbox.
struct Elsewhere<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
}

impl<'a> Elsewhere<'a> {
    /// A project with a database and a first migration; no repository.
    fn create(sandbox: &'a Sandbox, folder: &Path) -> Self {
        let project = Self { sandbox, folder: folder.to_owned() };
        let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
        project.write("Cargo.toml", &format!("{manifest}schema = [\"db/m igrations/*.sql\"]\n"));
        project.write(".gitignore", "*.db*\n/backups\n");
        project.write("db/m igrations/1.sql", "-- one\n");
        project.make_database();
        project
    }

    fn make_database(&self) {
        fs_err::create_dir_all(self.folder.join("backend/db")).expect("folder");
        let database = open(&self.folder.join("backend/db/kalito.db"));
        database.execute_batch("CREATE TABLE messages (id INTEGER PRIMARY KEY)").expect("a table");
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs_err::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs_err::write(path, text).expect("written");
    }

    fn git(&self, arguments: &[&str]) -> Said {
        let mut command = self.sandbox.git_at_clock(arguments);
        let output = command.current_dir(&self.folder).output().expect("git runs");
        let said = self.sandbox.said(&output);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said
    }

    fn xtask(&self, arguments: &[&str]) -> Said {
        let mut command = self.sandbox.xtask(arguments);
        let output = command.current_dir(&self.folder).output().expect("the binary runs");
        self.sandbox.said(&output)
    }

    /// The records of kind `pre-commit`, newest first.
    fn checkpoints(&self) -> Vec<serde_json::Value> {
        let said = self.xtask(&["db-list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&said.out).expect("a document");
        let all = list["backups"].as_array().expect("backups").iter();
        all.filter(|record| record["kind"] == "pre-commit").cloned().collect()
    }

    /// Commits a migration; there must be one more checkpoint and its trailer. Then something else,
    /// and there must be none.
    fn assert_works(&self) {
        let before = self.checkpoints().len();
        let sql = format!("-- number {before}\n");
        self.write("db/m igrations/it's 2.sql", &sql);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message=migration"]);
        let taken = self.checkpoints();
        assert_eq!(taken.len(), before + 1, "{taken:#?}");
        let paths = taken[0]["paths"].as_array().expect("paths");
        let is_ours = |path: &serde_json::Value| {
            path.as_str().is_some_and(|path| path.ends_with("db/m igrations/it's 2.sql"))
        };
        assert!(paths.iter().any(is_ours), "{paths:?}");
        let log = self.git(&["log", "-1", "--format=%(trailers:key=Db-Backup,valueonly)"]);
        assert!(log.out.starts_with(taken[0]["name"].as_str().expect("a name")), "{log:#?}");
        self.write("notes.txt", &sql);
        self.git(&["add", "."]);
        let said = self.git(&["commit", "--quiet", "--message=notes"]);
        assert_eq!((said.err.as_str(), self.checkpoints().len()), ("", before + 1));
    }
}

fn installed(project: &Elsewhere<'_>) {
    let said = project.xtask(&["db-hooks", "install"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn a_folder_with_any_name_will_do() {
    let sandbox = Sandbox::new();
    for name in ["with space", "it's \"quoted\"", "$(touch oops) `x` *?[a] \\", "-dash", "ümläut"]
    {
        let project = Elsewhere::create(&sandbox, &sandbox.path("places").join(name));
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        installed(&project);
        project.assert_works();
        project.git(&["switch", "--quiet", "--create", "a/b-c"]);
        let status = project.xtask(&["db-hooks", "status"]);
        assert_eq!(status.code, Some(0), "{name}: {status:#?}");
        let said = project.xtask(&["db-rollback", "--yes"]);
        assert_eq!(said.code, Some(0), "{name}: {said:#?}");
    }
    assert!(!sandbox.path("oops").exists());
}

#[test]
fn a_project_below_its_repository_is_found_from_everywhere_in_it() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("re po");
    let project = Elsewhere::create(&sandbox, &place.join("it's [apps]/one"));
    let top = Elsewhere { sandbox: &sandbox, folder: place.clone() };
    top.git(&["init", "--quiet", "--initial-branch=main"]);
    installed(&project);
    project.assert_works();
    // The same file beside the project is not its schema.
    top.write("db/m igrations/1.sql", "-- another's\n");
    top.git(&["add", "."]);
    let said = top.git(&["commit", "--quiet", "--message=another's"]);
    assert_eq!(said.err, "");
    // From the top, and with an index of its own.
    let before = project.checkpoints().len();
    project.write("db/m igrations/1.sql", "-- changed\n");
    let said = top.git(&["commit", "--quiet", "--all", "--message=changed"]);
    assert_eq!(project.checkpoints().len(), before + 1, "{said:#?}");
    let said = top.git(&["switch", "--quiet", "--create", "feature"]);
    assert!(said.err.contains("first time on `feature`"), "{said:#?}");
    // On a branch that lacks the project there is nothing to do, and nothing to say.
    top.git(&["switch", "--quiet", "--orphan", "docs"]);
    top.write("README.md", "docs");
    top.git(&["add", "README.md"]);
    let said = top.git(&["commit", "--quiet", "--message=docs"]);
    assert_eq!(said.err, "");
}

#[test]
fn work_trees_of_a_bare_repository_keep_their_backups_in_it() {
    let sandbox = Sandbox::new();
    let project = Elsewhere::create(&sandbox, &sandbox.path("first"));
    project.git(&["init", "--quiet", "--initial-branch=main"]);
    project.git(&["add", "."]);
    project.git(&["commit", "--quiet", "--message=first"]);
    project.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let bare = Elsewhere { sandbox: &sandbox, folder: sandbox.path("bare.git") };
    bare.git(&["worktree", "add", "--quiet", "../one"]);
    bare.git(&["worktree", "add", "--quiet", "../two"]);
    let [one, two] =
        ["one", "two"].map(|name| Elsewhere { sandbox: &sandbox, folder: sandbox.path(name) });
    one.make_database();
    two.make_database();
    installed(&one);
    for tree in [&one, &two] {
        tree.assert_works();
        assert!(!tree.folder.join("backups").exists());
    }
    let kept = fs_err::read_dir(sandbox.path("bare.git/xtask-db/backups")).expect("folder");
    assert!(kept.count() >= 4, "a backup and a record of each");
    let trees: Vec<_> = one.checkpoints().iter().map(|r| r["git"]["worktree"].clone()).collect();
    assert_eq!(trees, ["two", "one"]);
    let said = bare.git(&["worktree", "add", "--quiet", "../three"]);
    assert!(said.err.contains("`cargo xtask db-restore @two`"), "{said:#?}");
}

#[test]
fn a_submodule_has_hooks_of_its_own() {
    let sandbox = Sandbox::new();
    let project = Elsewhere::create(&sandbox, &sandbox.path("first"));
    project.git(&["init", "--quiet", "--initial-branch=main"]);
    project.git(&["add", "."]);
    project.git(&["commit", "--quiet", "--message=first"]);
    let outer = Elsewhere { sandbox: &sandbox, folder: sandbox.path("outer") };
    outer.write("README.md", "outer");
    outer.git(&["init", "--quiet", "--initial-branch=main"]);
    let allowed = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
    outer.git(&[&allowed[..], &["../first", "libs/in ner"]].concat());
    let inner = Elsewhere { sandbox: &sandbox, folder: sandbox.path("outer/libs/in ner") };
    inner.make_database();
    installed(&inner);
    inner.assert_works();
    let said = outer.git(&["commit", "--quiet", "--all", "--message=outer"]);
    assert_eq!(said.err, "", "the outer repository has no hooks");
    // A command that git runs in each submodule has the outer repository's variables around it.
    inner.write("db/m igrations/1.sql", "-- changed\n");
    let before = inner.checkpoints().len();
    outer.git(&["submodule", "foreach", "git commit --quiet --all --message=changed"]);
    assert_eq!(inner.checkpoints().len(), before + 1);
}

#[test]
fn a_hooks_folder_in_the_repository_s_own_is_used_and_kept_fresh() {
    let sandbox = Sandbox::new();
    let project = Elsewhere::create(&sandbox, &sandbox.path("first"));
    project.git(&["init", "--quiet", "--initial-branch=main"]);
    project.git(&["config", "core.hooksPath", ".git/my hooks"]);
    installed(&project);
    assert!(project.folder.join(".git/my hooks/pre-commit").is_file());
    assert!(!project.folder.join(".git/hooks/pre-commit").exists());
    project.assert_works();
    let manifest = fs_err::read_to_string(project.folder.join("Cargo.toml")).expect("it");
    project.write("Cargo.toml", &manifest.replace("m igrations/*", "m igrations/**/*"));
    project.xtask(&["db-list"]);
    let status = project.xtask(&["db-hooks", "status"]);
    assert_eq!(status.code, Some(0), "{status:#?}");
    let said = project.xtask(&["db-hooks", "uninstall"]);
    assert!(said.out.starts_with("Removed 5 blocks from"), "{said:#?}");
}

#[test]
fn a_hooks_folder_that_is_not_the_repository_s_own_is_left_alone() {
    let sandbox = Sandbox::new();
    let project = Elsewhere::create(&sandbox, &sandbox.path("first"));
    project.git(&["init", "--quiet", "--initial-branch=main"]);
    let count = |folder: &Path| fs_err::read_dir(folder).expect("folder").count();
    // All the user's repositories share this one.
    let shared = sandbox.path("shared");
    fs_err::create_dir(&shared).expect("folder");
    let global = sandbox.path("gitconfig");
    let text = format!("[core]\n\thooksPath = {}\n", shared.display());
    fs_err::write(&global, text).expect("written");
    let mut install = sandbox.xtask(&["db-hooks", "install"]);
    install.current_dir(&project.folder).env("GIT_CONFIG_GLOBAL", &global);
    let said = sandbox.said(&install.output().expect("the binary runs"));
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("which is not this repository's own folder"), "{said:#?}");
    assert!(said.err.contains("`cargo xtask db-hooks print HOOK`"), "{said:#?}");
    assert_eq!(count(&shared), 0);
    // One in the work tree, as teams share theirs, and husky's.
    for (folder, why) in [(".githooks", "`core.hooksPath` points to"), (".husky/_", "husky owns")] {
        fs_err::create_dir_all(project.folder.join(folder)).expect("folder");
        project.git(&["config", "core.hooksPath", folder]);
        let said = project.xtask(&["db-hooks", "install"]);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.err.contains(why), "{said:#?}");
        assert_eq!(count(&project.folder.join(folder)), 0);
        let said = project.xtask(&["db-hooks", "uninstall"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
}

#[test]
fn blocks_are_taken_out_although_hooks_path_leads_elsewhere_by_now() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["config", "core.hooksPath", ".githooks"]);
    let said = sandbox.ok(&["db-hooks", "uninstall"]);
    assert!(said.out.starts_with("Removed 5 blocks from ./.git/hooks"), "{}", said.out);
    assert!(!sandbox.path(".git/hooks/pre-commit").exists());
}

#[test]
fn two_projects_in_one_repository_have_a_checkpoint_each() {
    let sandbox = Sandbox::empty();
    sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
    for project in ["a", "b"] {
        sandbox.write(
            &format!("{project}/Cargo.toml"),
            format!(
                "[workspace]\nmembers = []\n[workspace.metadata.db.databases.{project}]\n\
                 path = \"{project}.db\"\nschema = [\"migrations/*.sql\"]\n"
            ),
        );
        let database =
            crate::support::sandbox::open(&sandbox.path(&format!("{project}/{project}.db")));
        database.execute_batch("CREATE TABLE t (a)").expect("a table");
        let mut install = sandbox.xtask(&["db-hooks", "install"]);
        let status = install.current_dir(sandbox.path(project)).status().expect("it runs");
        assert!(status.success());
    }
    // A command in one of them leaves the other's block as it is.
    let mut list = sandbox.xtask(&["db-list"]);
    assert!(list.current_dir(sandbox.path("b")).status().expect("it runs").success());
    for project in ["a", "b"] {
        sandbox.write(&format!("{project}/migrations/1.sql"), "CREATE TABLE u (b);\n");
        sandbox.hooked(&["add", &format!("{project}/migrations")]);
        sandbox.hooked(&["commit", "--quiet", &format!("--message={project}")]);
        let trailers = sandbox.git(&["log", "-1", "--format=%(trailers:key=Db-Backup)"]);
        assert!(trailers.contains(&format!("Db-Backup: {project}.db.")), "{project}: {trailers}");
    }
}

#[test]
fn a_work_tree_with_other_patterns_does_not_disarm_the_main_one() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["worktree", "add", "--quiet", "../linked", "-b", "other"]);
    let linked = sandbox.path("../linked");
    let manifest = fs_err::read_to_string(linked.join("Cargo.toml")).expect("a manifest");
    let manifest = manifest.replace("backend/db/migrations/*.sql", "elsewhere/*.sql");
    fs_err::write(linked.join("Cargo.toml"), manifest).expect("written");
    let mut list = sandbox.xtask(&["db-list"]);
    assert!(list.current_dir(&linked).status().expect("it runs").success());
    let block = fs_err::read_to_string(sandbox.path(".git/hooks/pre-commit")).expect("a hook");
    assert!(block.contains("elsewhere/*.sql"), "{block}");
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(sandbox.records("pre-commit").len(), 1);
    let status = sandbox.run(&["db-hooks", "status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
}
