import Base
import Digests
import Foundation
import Messages
import Operation
import RPC

extension Verb {
    static let export = Verb(
        "export", "Write a version to files.", operands: "DATASET VERSION",
        options: [
            OptionSpec(
                "format", .choice(ImportFormat.allCases.map(\.rawValue)), "FORMAT",
                standard: "fovea", from: .flag, "The form of the files; fovea loses nothing."),
            OptionSpec("to", .text, "DIR", from: .flag, "A folder that is made. Required."),
            OptionSpec(
                "split", .list, "SPLIT", from: .flag, "train, validation or test. Default: all."),
            OptionSpec("omit-images", .flag, from: .flag, "Leave images out."),
            OptionSpec("require-lossless", .flag, from: .flag, "Fail rather than lose anything."),
        ] + datasetOptions,
        examples: [
            ("fovea-dataset export pets 1 --format llava --to pets-llava", "LLaVA's JSON list.")
        ]
    ) { try await ExportVerb($0).run() }
}

/// `export`: writes what the server sends, and compares each file with its digest.
struct ExportVerb: Sendable {
    private let verb: DatasetVerb

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let settings = verb.invocation.settings
        guard let folder = settings.text("to") else {
            throw UsageError.missing(option: "--to", why: "say which folder to make")
        }
        let asked = settings.text("format").flatMap(ImportFormat.init(rawValue:)) ?? .fovea
        var request = ExportVersionRequest()
        request.name = try verb.version(1)
        request.format = asked.message
        request.splits = settings.list("split").map { SplitKind(sourceName: $0) }
        request.omitImages = settings.flag("omit-images")
        request.requireLossless = settings.flag("require-lossless")
        let wanted = request
        let summary = try await verb.invocation.withClient { client in
            let files = try FileWriter(folder: folder)
            for try await response in try await client.call(Datasets.exportVersion, wanted) {
                if case .summary(let summary)? = response.part { return summary }
                try files.take(response.part)
            }
            throw ImportError.malformed(folder, why: "the export ended early; repeat it")
        }
        verb.printOne([
            ("files", "\(summary.fileCount)"), ("rows", "\(summary.exampleCount)"),
            ("bytes", "\(summary.sizeBytes)"),
        ])
        for loss in summary.losses {
            verb.invocation.console.complain("\(loss.itemCount) rows lost \(loss.name)")
        }
        return .success
    }
}

extension ImportFormat {
    /// As the contract names it.
    var message: ExportFormat {
        switch self {
        case .llava: .llava
        case .sharegpt: .sharegpt
        case .messages: .messages
        case .openai: .openai
        case .imageFolder: .imageFolder
        case .roboflow: .roboflow
        case .vlmevalkit: .vlmevalkit
        case .labelStudio: .labelStudio
        case .csv: .csv
        case .classFolders: .classFolders
        case .fovea: .fovea
        }
    }
}

/// Writes files of a stream below a folder.
final class FileWriter {
    private let root: URL
    private var open: (path: String, handle: FileHandle)?
    private var hash = SHA256()

    /// Makes the folder; one that is there must be empty.
    init(folder: String) throws(ImportError) {
        root = URL(fileURLWithPath: folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        guard names.isEmpty else { throw .malformed(folder, why: "the folder is not empty") }
        do {
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        } catch {
            throw .unreadable(folder, why: "the folder cannot be made")
        }
    }

    func take(_ part: ExportVersionResponse.Part?) throws {
        switch part {
        case .header(let header)?: try begin(header.path)
        case .chunk(let chunk)?:
            chunk.content.withUnsafeBytes { hash.update($0) }
            try open?.handle.write(contentsOf: chunk.content.withUnsafeBytes { Data($0) })
        case .trailer(let trailer)?: try end(trailer)
        case .summary?, nil: break
        }
    }

    private func begin(_ path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        // A server is a peer like any other: its paths stay below the folder too.
        guard !parts.contains(where: { ["", ".", ".."].contains($0) }) else {
            throw ImportError.malformed(path, why: "the path leads out of the folder")
        }
        let url = root.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw ImportError.unreadable(path, why: "the file cannot be made")
        }
        open = (path, try FileHandle(forWritingTo: url))
        hash = SHA256()
    }

    private func end(_ trailer: FileTrailer) throws {
        guard let file = open else { return }
        try file.handle.close()
        open = nil
        var finished = SHA256()
        swap(&finished, &hash)
        guard finished.finish().hex == trailer.contentSha256 else {
            throw ImportError.malformed(file.path, why: "its digest is not the one announced")
        }
    }
}
