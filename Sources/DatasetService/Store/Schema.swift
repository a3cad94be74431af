import Storage

/// The catalogue's tables. Released migrations never change; new ones go to the end.
///
/// A row of a dataset is an `examples` record that points to one of its `revisions`: what the row
/// said at one time. Revisions never change, so a version is a list of them. Erasing a row empties
/// its revisions; everything that lists them says so.
enum Schema {
    /// Removes versions that a crash left half frozen.
    static let cleanUp = """
        DELETE FROM version_rows WHERE version_id IN (SELECT id FROM versions WHERE state = 1);
        DELETE FROM versions WHERE state = 1
        """

    static let migrations = [
        Migration(
            "catalogue",
            """
            CREATE TABLE datasets(
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                message BLOB NOT NULL,
                change_count INTEGER NOT NULL DEFAULT 1,
                example_count INTEGER NOT NULL DEFAULT 0,
                create_ns INTEGER NOT NULL,
                update_ns INTEGER NOT NULL);

            CREATE TABLE images(
                id INTEGER PRIMARY KEY,
                sha BLOB NOT NULL UNIQUE,
                width INTEGER NOT NULL,
                height INTEGER NOT NULL,
                media TEXT NOT NULL,
                size_bytes INTEGER NOT NULL,
                hash INTEGER NOT NULL,
                original_sha BLOB);
            CREATE INDEX images_by_original ON images(original_sha);
            CREATE TABLE uploads(
                sha BLOB PRIMARY KEY,
                image_id INTEGER NOT NULL REFERENCES images(id) ON DELETE CASCADE
            ) WITHOUT ROWID;
            CREATE INDEX uploads_by_image ON uploads(image_id);

            CREATE TABLE examples(
                id INTEGER PRIMARY KEY,
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                row_id TEXT NOT NULL,
                state INTEGER NOT NULL,
                answer_origin INTEGER NOT NULL,
                gold INTEGER NOT NULL,
                source_split INTEGER NOT NULL,
                vote_count INTEGER NOT NULL DEFAULT 0,
                revision_id INTEGER,
                create_ns INTEGER NOT NULL,
                update_ns INTEGER NOT NULL,
                UNIQUE(dataset_id, row_id));
            CREATE INDEX examples_by_creation ON examples(dataset_id, create_ns, id);
            CREATE INDEX examples_by_update ON examples(dataset_id, update_ns, id);

            CREATE TABLE revisions(
                id INTEGER PRIMARY KEY,
                example_id INTEGER NOT NULL REFERENCES examples(id),
                content_sha BLOB NOT NULL,
                row_sha BLOB NOT NULL,
                payload BLOB);
            CREATE INDEX revisions_by_example ON revisions(example_id);
            CREATE TABLE revision_images(
                revision_id INTEGER NOT NULL REFERENCES revisions(id),
                position INTEGER NOT NULL,
                image_id INTEGER NOT NULL REFERENCES images(id),
                PRIMARY KEY(revision_id, position)) WITHOUT ROWID;
            CREATE INDEX revision_images_by_image ON revision_images(image_id);
            CREATE TABLE dataset_images(
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                image_id INTEGER NOT NULL REFERENCES images(id),
                PRIMARY KEY(dataset_id, image_id)) WITHOUT ROWID;
            CREATE INDEX dataset_images_by_image ON dataset_images(image_id);

            CREATE TABLE votes(
                id INTEGER PRIMARY KEY,
                example_id INTEGER NOT NULL REFERENCES examples(id),
                annotator TEXT NOT NULL,
                message BLOB NOT NULL,
                create_ns INTEGER NOT NULL);
            CREATE INDEX votes_by_example ON votes(example_id);

            CREATE TABLE tombstones(
                example_id INTEGER PRIMARY KEY REFERENCES examples(id),
                reason TEXT NOT NULL,
                author TEXT NOT NULL,
                create_ns INTEGER NOT NULL);

            CREATE TABLE ingests(
                id INTEGER PRIMARY KEY,
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                origin TEXT NOT NULL,
                author TEXT NOT NULL,
                accepted_count INTEGER NOT NULL,
                create_ns INTEGER NOT NULL);

            CREATE TABLE requests(
                id TEXT PRIMARY KEY,
                request_sha BLOB NOT NULL,
                response BLOB NOT NULL,
                create_ns INTEGER NOT NULL) WITHOUT ROWID;
            CREATE INDEX requests_by_creation ON requests(create_ns);
            """),
        Migration(
            "versions",
            """
            CREATE TABLE versions(
                id INTEGER PRIMARY KEY,
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                number INTEGER NOT NULL,
                state INTEGER NOT NULL,
                content_sha BLOB,
                message BLOB,
                create_ns INTEGER NOT NULL,
                UNIQUE(dataset_id, number));
            CREATE TABLE version_rows(
                version_id INTEGER NOT NULL REFERENCES versions(id),
                split INTEGER NOT NULL,
                position INTEGER NOT NULL,
                revision_id INTEGER NOT NULL REFERENCES revisions(id),
                PRIMARY KEY(version_id, split, position)) WITHOUT ROWID;
            CREATE INDEX version_rows_by_revision ON version_rows(revision_id);
            """),
        Migration(
            "annotation",
            """
            -- What votes are about: the row as it came in, before any decision.
            ALTER TABLE examples ADD COLUMN basis_id INTEGER;
            ALTER TABLE examples ADD COLUMN basis_gold INTEGER NOT NULL DEFAULT 0;
            UPDATE examples SET basis_id = revision_id, basis_gold = gold;
            ALTER TABLE votes ADD COLUMN basis_id INTEGER;
            UPDATE votes SET basis_id =
                (SELECT revision_id FROM examples WHERE examples.id = example_id);
            CREATE INDEX votes_by_annotator ON votes(annotator, example_id, basis_id);
            CREATE INDEX examples_by_state
                ON examples(dataset_id, state, gold, vote_count DESC, create_ns, id);

            -- One for each person and row given to them. Those that ran out or were used stay.
            CREATE TABLE leases(
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                example_id INTEGER NOT NULL REFERENCES examples(id),
                basis_id INTEGER NOT NULL,
                annotator TEXT NOT NULL,
                token TEXT NOT NULL,
                guidelines TEXT NOT NULL,
                expire_ns INTEGER NOT NULL,
                UNIQUE(example_id, annotator));
            CREATE INDEX leases_by_annotator ON leases(dataset_id, annotator, expire_ns);
            CREATE INDEX leases_by_expiry ON leases(dataset_id, expire_ns, example_id);

            CREATE TABLE guidelines(
                dataset_id INTEGER NOT NULL REFERENCES datasets(id),
                revision INTEGER NOT NULL,
                message BLOB NOT NULL,
                PRIMARY KEY(dataset_id, revision)) WITHOUT ROWID;

            CREATE TABLE adjudications(
                id INTEGER PRIMARY KEY,
                example_id INTEGER NOT NULL REFERENCES examples(id),
                basis_id INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                guidelines TEXT NOT NULL,
                message BLOB NOT NULL,
                create_ns INTEGER NOT NULL);
            CREATE INDEX adjudications_by_example ON adjudications(example_id, id);
            """),
        Migration(
            "measures",
            """
            -- What inspections found by looking at pixels; can be found again at any time.
            CREATE TABLE image_measures(
                image_id INTEGER PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE,
                brightness REAL NOT NULL,
                darkest REAL NOT NULL,
                lightest REAL NOT NULL,
                contrast REAL NOT NULL,
                sharpness REAL NOT NULL,
                entropy REAL NOT NULL,
                chroma REAL);
            """),
    ]
}
