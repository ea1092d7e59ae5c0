//! What pages show of the project: its name and its databases.

use crate::host::project::Project;
use crate::serve::pages::context::DatabaseView;

/// The name of the project, and its databases in their order.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) project: String,
    pub(crate) databases: Vec<DatabaseView>,
}

impl About {
    /// What pages show of a project.
    #[must_use]
    pub(crate) fn of(project: &Project) -> Self {
        let folder = project.root.file_name().map(|name| name.to_string_lossy().into_owned());
        let databases = project.databases.iter().map(|database| DatabaseView {
            name: database.name.clone(),
            path: project.dotted_place(database).trim_start_matches("./").to_owned(),
        });
        Self {
            project: folder.unwrap_or_else(|| "Backups".to_owned()),
            databases: databases.collect(),
        }
    }

    /// The database of this name, else the first.
    #[must_use]
    pub(crate) fn chosen(&self, name: &str) -> Option<&DatabaseView> {
        let named = self.databases.iter().find(|database| database.name == name);
        named.or_else(|| self.databases.first())
    }
}
