//! End to end: the real binary in a sealed sandbox, one feature per file.

#[path = "e2e/alias.rs"]
mod alias;
#[path = "e2e/backfill.rs"]
mod backfill;
#[path = "e2e/backup.rs"]
mod backup;
#[path = "e2e/bench.rs"]
mod bench;
#[path = "e2e/benchexport.rs"]
mod benchexport;
#[path = "e2e/benchstore.rs"]
mod benchstore;
#[path = "e2e/ci.rs"]
mod ci;
#[path = "e2e/completions.rs"]
mod completions;
#[path = "e2e/configuration.rs"]
mod configuration;
#[path = "e2e/damage.rs"]
mod damage;
#[path = "e2e/dialogue.rs"]
mod dialogue;
#[path = "e2e/diff.rs"]
mod diff;
#[path = "e2e/diffsql.rs"]
mod diffsql;
#[path = "e2e/diskfull.rs"]
mod diskfull;
#[path = "e2e/documents.rs"]
mod documents;
#[path = "e2e/everyday.rs"]
mod everyday;
#[path = "e2e/examining.rs"]
mod examining;
#[path = "e2e/exclusion.rs"]
mod exclusion;
#[path = "e2e/export.rs"]
mod export;
#[path = "e2e/exportkill.rs"]
mod exportkill;
#[path = "e2e/exportkinds.rs"]
mod exportkinds;
#[path = "e2e/exportroot.rs"]
mod exportroot;
#[path = "e2e/exportsound.rs"]
mod exportsound;
#[path = "e2e/glance.rs"]
mod glance;
#[path = "e2e/guidehost.rs"]
mod guidehost;
#[path = "e2e/guides.rs"]
mod guides;
#[path = "e2e/guidetables.rs"]
mod guidetables;
#[path = "e2e/help.rs"]
mod help;
#[path = "e2e/hookmanagers.rs"]
mod hookmanagers;
#[path = "e2e/hooks.rs"]
mod hooks;
#[path = "e2e/hooksblock.rs"]
mod hooksblock;
#[path = "e2e/hooksbranch.rs"]
mod hooksbranch;
#[path = "e2e/hookscommit.rs"]
mod hookscommit;
#[path = "e2e/hooksfollow.rs"]
mod hooksfollow;
#[path = "e2e/hooksmessage.rs"]
mod hooksmessage;
#[path = "e2e/hooksplaces.rs"]
mod hooksplaces;
#[path = "e2e/hooksreflog.rs"]
mod hooksreflog;
#[path = "e2e/hooksretention.rs"]
mod hooksretention;
#[path = "e2e/hooksshell.rs"]
mod hooksshell;
#[path = "e2e/hostilefolder.rs"]
mod hostilefolder;
#[path = "e2e/ignored.rs"]
mod ignored;
#[path = "e2e/import.rs"]
mod import;
#[path = "e2e/importhostile.rs"]
mod importhostile;
#[path = "e2e/importkill.rs"]
mod importkill;
#[path = "e2e/importkinds.rs"]
mod importkinds;
#[path = "e2e/importnumerals.rs"]
mod importnumerals;
#[path = "e2e/importodd.rs"]
mod importodd;
#[path = "e2e/importrecords.rs"]
mod importrecords;
#[path = "e2e/importrefused.rs"]
mod importrefused;
#[path = "e2e/importsources.rs"]
mod importsources;
#[path = "e2e/importsql.rs"]
mod importsql;
#[path = "e2e/interrupted.rs"]
mod interrupted;
#[path = "e2e/into.rs"]
mod into;
#[path = "e2e/inuse.rs"]
mod inuse;
#[path = "e2e/kill.rs"]
mod kill;
#[path = "e2e/labels.rs"]
mod labels;
#[path = "e2e/large.rs"]
mod large;
#[path = "e2e/links.rs"]
mod links;
#[path = "e2e/list.rs"]
mod list;
#[path = "e2e/markdown.rs"]
mod markdown;
#[path = "e2e/matrix.rs"]
mod matrix;
#[path = "e2e/merge.rs"]
mod merge;
#[path = "e2e/mergeodd.rs"]
mod mergeodd;
#[path = "e2e/mergereferences.rs"]
mod mergereferences;
#[path = "e2e/mergereplace.rs"]
mod mergereplace;
#[path = "e2e/mergeschema.rs"]
mod mergeschema;
#[path = "e2e/migrate.rs"]
mod migrate;
#[path = "e2e/migratebeside.rs"]
mod migratebeside;
#[path = "e2e/migratekill.rs"]
mod migratekill;
#[path = "e2e/migraterows.rs"]
mod migraterows;
#[path = "e2e/migratestopping.rs"]
mod migratestopping;
#[path = "e2e/migratevalues.rs"]
mod migratevalues;
#[path = "e2e/migrating.rs"]
mod migrating;
#[path = "e2e/museum.rs"]
mod museum;
#[path = "e2e/oddbytes.rs"]
mod oddbytes;
#[path = "e2e/onlooker.rs"]
mod onlooker;
#[path = "e2e/otherengines.rs"]
mod otherengines;
#[path = "e2e/permissions.rs"]
mod permissions;
#[path = "e2e/places.rs"]
mod places;
#[path = "e2e/predeploy.rs"]
mod predeploy;
#[path = "e2e/premigrate.rs"]
mod premigrate;
#[path = "e2e/prune.rs"]
mod prune;
#[path = "e2e/question.rs"]
mod question;
#[path = "e2e/raced.rs"]
mod raced;
#[path = "e2e/recordchecksum.rs"]
mod recordchecksum;
#[path = "e2e/records.rs"]
mod records;
#[path = "e2e/references.rs"]
mod references;
#[path = "e2e/rehearsalbeside.rs"]
mod rehearsalbeside;
#[path = "e2e/remove.rs"]
mod remove;
#[path = "e2e/reset.rs"]
mod reset;
#[path = "e2e/restore.rs"]
mod restore;
#[path = "e2e/restorestored.rs"]
mod restorestored;
#[path = "e2e/rollback.rs"]
mod rollback;
#[path = "e2e/rollbackodd.rs"]
mod rollbackodd;
#[path = "e2e/roundtrip.rs"]
mod roundtrip;
#[path = "e2e/runners.rs"]
mod runners;
#[path = "e2e/saidtext.rs"]
mod saidtext;
#[path = "e2e/sandbox.rs"]
mod sandbox;
#[path = "e2e/server.rs"]
mod server;
#[path = "e2e/setup.rs"]
mod setup;
#[path = "e2e/severaldatabases.rs"]
mod severaldatabases;
#[path = "e2e/share.rs"]
mod share;
#[path = "e2e/sharegit.rs"]
mod sharegit;
#[path = "e2e/sources.rs"]
mod sources;
#[path = "e2e/status.rs"]
mod status;
#[path = "e2e/stopping.rs"]
mod stopping;
#[path = "e2e/storeflips.rs"]
mod storeflips;
#[path = "e2e/storekill.rs"]
mod storekill;
#[path = "e2e/storeproof.rs"]
mod storeproof;
#[path = "e2e/storeprune.rs"]
mod storeprune;
#[path = "e2e/storereadings.rs"]
mod storereadings;
#[path = "e2e/storeverify.rs"]
mod storeverify;
#[path = "e2e/strace.rs"]
mod strace;
#[path = "e2e/supervision.rs"]
mod supervision;
#[path = "e2e/system1.rs"]
mod system1;
#[path = "e2e/system1workflow.rs"]
mod system1workflow;
#[path = "e2e/system2.rs"]
mod system2;
#[path = "e2e/system4.rs"]
mod system4;
#[path = "e2e/system5.rs"]
mod system5;
#[path = "e2e/tables.rs"]
mod tables;
#[path = "e2e/terminal.rs"]
mod terminal;
#[path = "e2e/threads.rs"]
mod threads;
#[path = "e2e/tidy.rs"]
mod tidy;
#[path = "e2e/twoprojects.rs"]
mod twoprojects;
#[path = "e2e/wayback.rs"]
mod wayback;
#[path = "e2e/wounds.rs"]
mod wounds;
