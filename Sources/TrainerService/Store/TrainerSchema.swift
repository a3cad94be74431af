import Resources
import Storage

/// The tables of the trainer. Released migrations never change; new ones go to the end.
///
/// A job's events are numbered within their transaction, so numbers have no gaps whatever a crash
/// undoes. Work that is done again after a crash tells the same events again; `mark` names what an
/// event is about, so that the second telling is dropped.
enum TrainerSchema {
    static let migrations = [
        Migration(
            "trainer",
            """
            CREATE TABLE models(
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                folder TEXT NOT NULL,
                message BLOB NOT NULL,
                create_ns INTEGER NOT NULL);

            CREATE TABLE jobs(
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                state INTEGER NOT NULL,
                wanted BLOB,
                device TEXT NOT NULL,
                author TEXT NOT NULL,
                request_id TEXT UNIQUE,
                request_sha BLOB,
                message BLOB NOT NULL,
                progress BLOB NOT NULL,
                change_count INTEGER NOT NULL DEFAULT 1,
                last_event INTEGER NOT NULL DEFAULT 0,
                restart_count INTEGER NOT NULL DEFAULT 0,
                is_interrupted INTEGER NOT NULL DEFAULT 0,
                queued_ns INTEGER NOT NULL,
                served_ns INTEGER NOT NULL DEFAULT 0,
                create_ns INTEGER NOT NULL,
                start_ns INTEGER NOT NULL DEFAULT 0,
                end_ns INTEGER NOT NULL DEFAULT 0,
                update_ns INTEGER NOT NULL);
            CREATE INDEX jobs_by_state ON jobs(state, device);
            CREATE INDEX jobs_by_author ON jobs(device, author, served_ns);

            CREATE TABLE events(
                job_id INTEGER NOT NULL REFERENCES jobs(id),
                number INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                mark TEXT,
                message BLOB NOT NULL,
                PRIMARY KEY(job_id, number)) WITHOUT ROWID;
            CREATE UNIQUE INDEX events_by_mark ON events(job_id, mark) WHERE mark IS NOT NULL;
            CREATE INDEX events_by_kind ON events(job_id, kind, number);

            CREATE TABLE evaluations(
                id INTEGER PRIMARY KEY,
                job_id INTEGER NOT NULL REFERENCES jobs(id),
                name TEXT NOT NULL,
                is_baseline INTEGER NOT NULL,
                split_sha TEXT NOT NULL,
                message BLOB NOT NULL,
                create_ns INTEGER NOT NULL,
                UNIQUE(job_id, name));
            CREATE INDEX evaluations_by_split ON evaluations(split_sha, create_ns);
            CREATE TABLE predictions(
                evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
                position INTEGER NOT NULL,
                score REAL NOT NULL,
                confidence REAL NOT NULL,
                is_well_formed INTEGER NOT NULL,
                message BLOB NOT NULL,
                PRIMARY KEY(evaluation_id, position)) WITHOUT ROWID;

            """ + RepeatedRequests.schema)
    ]
}
