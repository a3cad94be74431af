import Base
import Foundation
import Testing

@testable import Storage

/// A new folder, removed at the end.
final class ScratchFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "fovea-storage-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

struct DatabaseTests {
    private static let schema = [
        Migration("words", "CREATE TABLE words(id INTEGER PRIMARY KEY, word TEXT UNIQUE)")
    ]
    private struct Refusal: Error {}

    private func count(_ database: Database) async throws -> Int {
        try await database.read { db in try db.first("SELECT count(*) FROM words") { $0.int(0) } }
            ?? -1
    }

    @Test func valuesComeBackAsTheyWere() async throws {
        let folder = try ScratchFolder()
        let database = try Database(
            path: folder.path + "/c.sqlite",
            migrations: [Migration("values", "CREATE TABLE v(i, r, t, b, n)")])
        let blob = Bytes([0, 1, 255])
        try await database.write { db in
            try db.run(
                "INSERT INTO v VALUES(?, ?, ?, ?, ?)", SQLValue(bits: .max), .real(0.5),
                "nul\0 and é", .blob(blob), .null)
            try db.run("INSERT INTO v VALUES(1, 1, '', ?, NULL)", .blob(Bytes()))
        }
        let rows = try await database.read { db in
            try db.rows("SELECT * FROM v") { row in
                (row.bits(0), row.double(1), row.text(2), row.blob(3), row.isNull(4), row.isNull(3))
            }
        }
        #expect(rows[0] == (.max, 0.5, "nul\0 and é", blob, true, false))
        #expect(rows[1].3.count == 0)
        #expect(!rows[1].5)
    }

    @Test func aWriteThatThrowsLeavesNothingAndItsNeighboursStay() async throws {
        let folder = try ScratchFolder()
        let database = try Database(path: folder.path + "/c.sqlite", migrations: Self.schema)
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    let written: Void? = try? await database.write { db in
                        try db.run("INSERT INTO words(word) VALUES(?)", .text("\(number)"))
                        if number.isMultiple(of: 4) { throw Refusal() }
                    }
                    return written != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == 48)
        #expect(try await count(database) == 48)
    }

    @Test func whatWasWrittenIsThereWhenTheFileIsOpenedAgain() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/c.sqlite"
        do {
            let database = try Database(path: path, migrations: Self.schema)
            try await database.write { db in try db.run("INSERT INTO words(word) VALUES('a')") }
        }
        let again = try Database(
            path: path,
            migrations: Self.schema + [Migration("more", "ALTER TABLE words ADD COLUMN more TEXT")])
        #expect(try await count(again) == 1)
        #expect(try await again.integrityFaults().isEmpty)
        try await again.write { db in try db.run("UPDATE words SET more = 'b'") }
        #expect(throws: StorageError.newerSchema(migration: "more")) {
            try Database(path: path, migrations: Self.schema)
        }
    }

    @Test func aMigrationThatFailsLeavesTheSchemaBeforeIt() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/c.sqlite"
        let broken = Migration("broken", "CREATE TABLE other(a); CREATE TABLE words(a)")
        #expect(throws: StorageError.self) {
            try Database(path: path, migrations: Self.schema + [broken])
        }
        let database = try Database(path: path, migrations: Self.schema)
        let tables = try await database.read { db in
            try db.rows("SELECT name FROM sqlite_master WHERE name = 'other'") { $0.text(0) }
        }
        #expect(tables.isEmpty)
    }

    @Test func actionsAfterCommitRunOnlyIfTheChangeStays() async throws {
        let folder = try ScratchFolder()
        let database = try Database(path: folder.path + "/c.sqlite", migrations: Self.schema)
        let ran = Lock<[String]>([])
        try await database.write { db in db.afterCommit { ran.with { $0.append("kept") } } }
        _ = try? await database.write { db in
            db.afterCommit { ran.with { $0.append("lost") } }
            throw Refusal()
        }
        #expect(ran.with { $0 } == ["kept"])
    }

    @Test func aFullDiskIsSaidAndTheStoreGoesOn() async throws {
        let folder = try ScratchFolder()
        let database = try Database(path: folder.path + "/c.sqlite", migrations: Self.schema)
        try await database.write { db in
            try db.run("INSERT INTO words(word) VALUES('before')")
            try db.script("PRAGMA max_page_count = 12")
        }
        await #expect(throws: StorageError.diskFull) {
            try await database.write { db in
                let long = String(repeating: "x", count: 100_000)
                try db.run("INSERT INTO words(word) VALUES(?)", .text(long))
            }
        }
        #expect(try await count(database) == 1)
        try await database.write { db in try db.run("INSERT INTO words(word) VALUES('after')") }
        #expect(try await count(database) == 2)
    }

    @Test func aReadingConnectionCannotWrite() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/c.sqlite"
        _ = try Database(path: path, migrations: Self.schema)
        let reader = try Database(readingFrom: path)
        await #expect(throws: StorageError.readOnly) {
            try await reader.write { db in try db.run("INSERT INTO words(word) VALUES('a')") }
        }
    }

    @Test func aFolderHasOneOwner() throws {
        let folder = try ScratchFolder()
        var first: FolderLock? = try FolderLock(folder: folder.path)
        #expect(throws: StorageError.inUse) { try FolderLock(folder: folder.path) }
        withExtendedLifetime(first) {}
        first = nil
        _ = try FolderLock(folder: folder.path)
    }
}
