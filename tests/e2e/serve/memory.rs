//! The server's memory with a thousand backups, and many clients at once.

use crate::backups::many::with_backups;
use crate::support::page_server::PageServer;
use crate::support::strace::complain;

/// The most memory that the server may need for one client.
const MAX_BYTES: u64 = 40 << 20;
/// The same for a hundred at once, each of whose pages has the whole list for a moment.
const MAX_BYTES_OF_MANY: u64 = 96 << 20;

#[test]
fn a_thousand_backups_fit_into_40_mebibytes_and_a_hundred_clients_into_96() {
    let sandbox = with_backups(1_000);
    let server = PageServer::start(&sandbox);
    for _ in 0..100 {
        assert_eq!(server.get("/api/backup/status").status, 200);
        assert_eq!(server.get("/").status, 200);
    }
    let Some(after_one) = server.peak_bytes() else {
        complain("SKIPPED: no /proc to read the peak memory of the server from");
        return;
    };
    assert!(after_one <= MAX_BYTES, "{after_one} bytes after 200 requests");
    let job = server.job("/api/backup/create", "{}");
    std::thread::scope(|scope| {
        for n in 0..100 {
            let server = &server;
            scope.spawn(move || {
                let path = ["/api/backup/status", "/", "/api/jobs"][n % 3];
                for _ in 0..3 {
                    assert_eq!(server.get(path).status, 200, "{path}");
                }
            });
        }
    });
    server.wait_for(&job, "done");
    let after_many = server.peak_bytes().expect("shown before");
    assert!(after_many <= MAX_BYTES_OF_MANY, "{after_many} bytes after 100 clients at once");
}
