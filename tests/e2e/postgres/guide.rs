//! The guide about PostgreSQL is true: its commands are run on a real server.

use crate::documents::guides::OF_A_SERVER;
use crate::support::markdown::{self, Part};
use crate::support::postgres_server::PostgresServer;

#[test]
fn every_command_of_the_guide_is_run() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let sandbox = database.sandbox();
    sandbox.configure("migrate = ['sh', 'run.sh']");
    sandbox.write(
        "run.sh",
        "psql --no-psqlrc -q -d \"$MEMORY_DB_URL\" -c 'CREATE TABLE likes (a int);
         INSERT INTO likes VALUES (1)'\n",
    );
    let document = markdown::documents().into_iter().find(|d| d.name == OF_A_SERVER);
    let document = document.expect("the guide");
    let mut n_run = 0;
    for part in markdown::parts(&document.text) {
        let Part::Block(block) = part else { continue };
        for line in &block.lines {
            let Some(command) = line.strip_prefix("$ cargo xtask ") else { continue };
            let mut arguments: Vec<&str> = command.split(' ').collect();
            if arguments[0] == "db-restore" {
                // Nobody answers the question here.
                arguments.push("--yes");
                database.sql("INSERT INTO t VALUES (2)");
            }
            let said = sandbox.ok(&arguments);
            let shown = block.lines.iter().skip(1);
            let first_words = |text: &str| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
            for line in shown.filter(|line| line.starts_with("Backup created")) {
                assert!(said.out.contains(&first_words(line)), "{line}: {said:#?}");
            }
            for line in block.lines.iter().filter(|line| line.contains("public.likes")) {
                assert!(said.out.contains(line.as_str()), "{line}: {said:#?}");
            }
            n_run += 1;
        }
    }
    assert!(n_run >= 3, "the guide shows commands");
}
