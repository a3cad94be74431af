import Base

/// One step of a catalogue's schema. Released steps never change; new ones go to the end.
package struct Migration: Sendable {
    package let name: String
    package let sql: String

    /// - Parameters:
    ///   - name: unique, kept in the catalogue
    ///   - sql: statements without values
    package init(_ name: String, _ sql: String) { (self.name, self.sql) = (name, sql) }
}

extension Connection {
    /// Brings the schema up to date, each step in a transaction of its own.
    func migrate(_ migrations: [Migration]) throws(StorageError) {
        try script(
            """
            CREATE TABLE IF NOT EXISTS migrations(
                position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)
            """)
        let applied = try rows("SELECT name FROM migrations ORDER BY position") { $0.text(0) }
        for (position, name) in applied.enumerated()
        where position >= migrations.count || migrations[position].name != name {
            throw .newerSchema(migration: name)
        }
        for (position, migration) in migrations.enumerated().dropFirst(applied.count) {
            do throws(StorageError) {
                try script("BEGIN IMMEDIATE")
                try script(migration.sql)
                try run(
                    "INSERT INTO migrations(position, name) VALUES(?, ?)", SQLValue(position),
                    .text(migration.name))
                try commit()
            } catch {
                rollBack()
                throw error
            }
        }
    }
}
