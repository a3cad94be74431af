import Base
import Digests
import Glibc
import Messages
import Operation
import Resources
import Storage

extension Verb {
    static let verify = Verb(
        "verify", "Check a data folder from end to end; the service must be stopped.",
        options: [
            OptionSpec(
                "data", .text, "DIR", standard: "./fovea-data", from: .flag,
                "The folder of the service."),
            OptionSpec(
                "clean", .flag, from: .flag,
                "Remove images that no row names, as a crash may leave them."),
            OptionSpec("json", .flag, from: .flag, "Print JSON for programs."),
        ]
    ) { invocation in
        let folder = invocation.settings.text("data") ?? "./fovea-data"
        guard access("\(folder)/catalogue.sqlite", F_OK) == 0 else {
            throw ImportError.unreadable(folder, why: "it holds no catalogue")
        }
        let report = try await Catalogue(folder: folder).verify(
            cleans: invocation.settings.flag("clean"))
        DatasetVerb(invocation).printOne(report.fields)
        for fault in report.faults { invocation.console.complain(fault) }
        return report.faults.isEmpty ? .success : .failure
    }
}

/// What a check of the store found.
struct VerifyReport: Sendable {
    var examples = 0
    var images = 0
    var versions = 0
    /// Blobs without a name in the catalogue: harmless, but they take room.
    var orphans = 0
    var faults: [String] = []

    var fields: [(String, String)] {
        [
            ("examples", "\(examples)"), ("images", "\(images)"), ("versions", "\(versions)"),
            ("orphans", "\(orphans)"), ("faults", "\(faults.count)"),
        ]
    }
}

extension Catalogue {
    /// Reads everything and compares it with what the catalogue says.
    func verify(cleans: Bool) async throws -> VerifyReport {
        var report = VerifyReport()
        report.faults = try await writer.integrityFaults()
        let digests = try await reader.read { db in
            (
                images: try db.rows("SELECT sha FROM images") { $0.digest(0) },
                originals: try db.rows(
                    "SELECT original_sha FROM images WHERE original_sha IS NOT NULL"
                ) { $0.digest(0) }
            )
        }
        let named = Set((digests.images + digests.originals).compactMap { $0 })
        report.images = digests.images.count
        for digest in named {
            do throws(StorageError) {
                _ = try blobs.read(digest)
            } catch {
                report.faults.append(error.message)
            }
        }
        try blobs.eachDigest { digest in
            guard !named.contains(digest) else { return }
            report.orphans += 1
            if cleans { blobs.remove(digest) }
        }
        let counts = try await reader.read { db in try Self.checkCounts(db) }
        (report.examples, report.versions) = (counts.examples, counts.versions)
        report.faults += counts.faults
        return report
    }

    private static func checkCounts(
        _ db: Connection
    ) throws -> (examples: Int, versions: Int, faults: [String]) {
        var faults: [String] = []
        for record in try db.datasets("") {
            let count = try db.first(
                "SELECT count(*) FROM examples WHERE dataset_id = ? AND state <> ?",
                .integer(record.id), SQLValue(Int(ExampleState.erased.rawValue))
            ) { $0.int(0) }
            if count != record.exampleCount {
                faults.append(
                    "\(record.name) says \(record.exampleCount) rows and has \(count ?? 0)")
            }
            for version in try db.versions(of: record, "") {
                faults += try splitFaults(version, db)
            }
        }
        let missing = try db.first(
            """
            SELECT count(*) FROM examples WHERE revision_id IS NULL
                OR NOT EXISTS (SELECT 1 FROM revisions WHERE revisions.id = revision_id)
            """
        ) { $0.int(0) }
        if let missing, missing > 0 { faults.append("\(missing) rows are without content") }
        faults += try voteFaults(db)
        let examples = try db.first("SELECT count(*) FROM examples") { $0.int(0) } ?? 0
        let versions = try db.first("SELECT count(*) FROM versions") { $0.int(0) } ?? 0
        return (examples, versions, faults)
    }

    /// Rows that count their votes wrongly, or say that somebody decided where nobody did.
    private static func voteFaults(_ db: Connection) throws -> [String] {
        let miscounted = try db.first(
            """
            SELECT count(*) FROM examples WHERE state <> ? AND vote_count <> (
                SELECT count(DISTINCT annotator) FROM votes WHERE votes.example_id = examples.id
                    AND votes.basis_id = examples.basis_id)
            """, SQLValue(Int(ExampleState.erased.rawValue))
        ) { $0.int(0) }
        let undecided = try db.first(
            """
            SELECT count(*) FROM examples WHERE state = ? AND answer_origin = ? AND NOT EXISTS (
                SELECT 1 FROM adjudications WHERE adjudications.example_id = examples.id
                    AND adjudications.basis_id = examples.basis_id AND kind = ?)
            """, SQLValue(Int(ExampleState.decided.rawValue)),
            SQLValue(Int(AnswerOrigin.adjudicated.rawValue)),
            SQLValue(Int(AdjudicationKind.decision.rawValue))
        ) { $0.int(0) }
        return [(miscounted, "count their votes wrongly"), (undecided, "lack their decision")]
            .compactMap { count, what in (count ?? 0) > 0 ? "\(count ?? 0) rows \(what)" : nil }
    }

    /// Splits whose rows are not those that were frozen.
    private static func splitFaults(_ version: VersionRecord, _ db: Connection) throws -> [String] {
        var faults: [String] = []
        for split in version.stored.splits {
            let digests = try db.rows(
                """
                SELECT row_sha FROM version_rows JOIN revisions ON revisions.id = revision_id
                WHERE version_id = ? AND split = ? ORDER BY position
                """, .integer(version.id), SQLValue(Int(split.split.rawValue))
            ) { $0.digest(0) }
            var hash = SHA256()
            for digest in digests { digest?.withBytes { hash.update($0) } }
            let seen = hash.finish().hex
            if UInt64(digests.count) != split.exampleCount || seen != split.splitSha256 {
                let name = split.split.plainName.lowercased()
                faults.append("\(version.name): the \(name) split is not as it was frozen")
            }
        }
        return faults
    }
}
