import Base
import Digests
import Foundation
import Glibc
import Messages
import Operation
import RPC

/// `export`: writes the files of a result into a new folder.
struct ExportVerb: Sendable {
    private let verb: TrainerVerb
    private var invocation: Invocation { verb.invocation }

    init(_ invocation: Invocation) { verb = TrainerVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let what = try invocation.operand(0, "JOB")
        let folder = try invocation.operand(1, "FOLDER")
        guard mkdir(folder, 0o755) == 0 else {
            throw UsageError.malformed(
                what: "the folder", path: folder,
                why: "it cannot be made (\(SystemError.last.words)); name one that is not there")
        }
        var request = FetchArtifactRequest()
        request.name = Self.name(what)
        request.includeTrainingState = invocation.settings.flag("state")
        let summary: ArtifactSummary
        do {
            summary = try await invocation.withClient { [request] client in
                try await fetch(request, into: folder, client)
            }
        } catch {
            // Half a result would be taken for a whole one, and its name could not be used again.
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
        invocation.printResult([
            ("name", summary.name), ("sha256", summary.contentSha256),
            ("files", "\(summary.fileCount)"), ("bytes", "\(summary.sizeBytes)"),
        ])
        return .success
    }

    /// `j1`, `j1/last`, `j1/report`, or a full name.
    private static func name(_ text: String) -> String {
        if text.hasPrefix("jobs/") || text.hasPrefix("models/") { return text }
        let parts = text.split(separator: "/")
        if parts.count > 1, parts[1] == "report" { return "jobs/\(parts[0])/artifacts/report" }
        return parts.count > 1
            ? "jobs/\(parts[0])/checkpoints/\(parts[1])" : "jobs/\(text)/artifacts/result"
    }

    private func fetch(
        _ request: FetchArtifactRequest, into folder: String, _ client: Client
    ) async throws -> ArtifactSummary {
        var summary = ArtifactSummary()
        var file: ReceivedFile?
        for try await response in try await client.call(Training.fetchArtifact, request) {
            switch response.part {
            case .summary(let first)?: summary = first
            case .header(let header)?: file = try ReceivedFile(header, in: folder)
            case .chunk(let chunk)?: try file?.append(chunk.content)
            case .trailer(let trailer)?:
                try file?.finish(trailer)
                file = nil
            case nil: break
            }
        }
        return summary
    }
}

/// A file that arrives in pieces.
private final class ReceivedFile {
    private let name: String
    private let handle: FileHandle
    private var hash: SHA256? = SHA256()

    init(_ header: FileHeader, in folder: String) throws {
        name = header.path
        let isPlain = !name.isEmpty && !name.contains("/") && !name.hasPrefix(".")
        let path = "\(folder)/\(name)"
        guard isPlain, FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else {
            throw UsageError.malformed(
                what: "the file", path: name, why: "it cannot be written into the folder")
        }
        self.handle = handle
    }

    func append(_ bytes: Bytes) throws {
        bytes.withUnsafeBytes { hash?.update($0) }
        try handle.write(contentsOf: Data(bytes))
    }

    func finish(_ trailer: FileTrailer) throws {
        try handle.close()
        let seen = hash.take()?.finish().hex ?? ""
        guard seen == trailer.contentSha256 else {
            throw TrainerError.digestMismatch(
                what: name, expected: trailer.contentSha256, seen: seen)
        }
    }
}
