//! The folder in which this user's machine keeps what is not part of any project: never in a repository.

use std::ffi::OsStr;
use std::path::PathBuf;

/// Its path, by the home folder and `XDG_STATE_HOME`
/// (<https://specifications.freedesktop.org/basedir/latest/>: a relative one is ignored).
#[must_use]
pub(crate) fn of(home: Option<&OsStr>, state: Option<&OsStr>) -> Option<PathBuf> {
    let absolute = |path: &OsStr| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let home = home.and_then(absolute);
    let folder = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        state.and_then(absolute).or_else(|| home.map(|home| home.join(".local/state")))
    };
    folder.map(|folder| folder.join("xtask-db"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_user_s_own_and_absolute() {
        let place = |home: Option<&str>, state: Option<&str>| {
            let place = of(home.map(OsStr::new), state.map(OsStr::new));
            place.map(|path| path.display().to_string())
        };
        if cfg!(target_os = "macos") {
            let expected = "/Users/ada/Library/Application Support/xtask-db";
            assert_eq!(place(Some("/Users/ada"), None).as_deref(), Some(expected));
        } else {
            let expected = Some("/home/ada/.local/state/xtask-db".to_owned());
            assert_eq!(place(Some("/home/ada"), None), expected);
            assert_eq!(place(Some("/home/ada"), Some("relative")), expected);
            let expected = Some("/state/xtask-db".to_owned());
            assert_eq!(place(Some("/home/ada"), Some("/state")), expected);
        }
        assert_eq!(place(None, None), None);
        assert_eq!(place(Some(""), Some("")), None);
    }
}
