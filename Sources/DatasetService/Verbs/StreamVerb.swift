import Base
import Foundation
import Images
import Messages
import Operation
import RPC

extension Verb {
    static let stream = Verb(
        "stream", "Print the rows that training would see.", operands: "DATASET VERSION",
        options: [
            OptionSpec(
                "split", .choice(["train", "validation", "test"]), "SPLIT", standard: "train",
                from: .flag, "Which part."),
            OptionSpec("epoch", .integer(0...1_000_000), "N", from: .flag, "Which epoch."),
            OptionSpec("seed", .integer(0...Int.max), "N", from: .flag, "Seed of the order."),
            OptionSpec("augment", .flag, from: .flag, "Apply the version's policy."),
            OptionSpec(
                "side", .integer(1...30_000), "PIXELS", from: .flag,
                "Longest side of images; else as stored."),
            OptionSpec(
                "to", .text, "DIR", from: .flag, "Write images to files of a folder that is made."),
            OptionSpec("shuffle", .flag, from: .flag, "In seeded order; else in stored order."),
            OptionSpec("limit", .integer(1...Int.max), "ROWS", from: .flag, "Stop after these."),
        ] + datasetOptions
    ) { try await StreamVerb($0).run() }
}

/// `stream`: one JSON object for each row.
struct StreamVerb: Sendable {
    private let verb: DatasetVerb

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let settings = verb.invocation.settings
        var request = StreamExamplesRequest()
        request.version = try verb.version(1)
        request.split = SplitKind(sourceName: settings.text("split") ?? "train")
        request.epoch = UInt32(settings.integer("epoch") ?? 0)
        request.seed = UInt64(settings.integer("seed") ?? 0)
        request.shuffle = settings.flag("shuffle")
        request.rowCountMax = UInt64(settings.integer("limit") ?? 0)
        request.augment = settings.flag("augment")
        request.imageSidePixelsMax = UInt32(settings.integer("side") ?? 0)
        let folder = settings.text("to")
        // Without a folder nothing is done to images either, but their steps are told.
        request.omitImages = folder == nil
        if let folder { try Self.makeFolder(folder) }
        let wanted = request
        try await verb.invocation.withClient { client in
            for try await response in try await client.call(Datasets.streamExamples, wanted) {
                guard case .example(let row)? = response.part else { continue }
                if let folder { try Self.write(row, response, to: folder) }
                show(row, response.rowIndex)
            }
        }
        return .success
    }

    private static func makeFolder(_ path: String) throws(ImportError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .unreadable(path, why: "the folder cannot be made")
        }
    }

    /// Files are named by epoch position and place in the row, never by what the server says.
    private static func write(
        _ row: StreamedExample, _ response: StreamExamplesResponse, to folder: String
    ) throws {
        for (index, image) in row.images.enumerated() {
            let format = try? ImageHeader(reading: image.content).format
            let ending = format?.name.lowercased() ?? "bin"
            let name = "\(response.rowIndex)-\(index).\(ending)"
            try image.content.write(toFile: "\(folder)/\(name)")
        }
    }

    private func show(_ row: StreamedExample, _ index: UInt64) {
        verb.invocation.printJSON { json in
            json.member("index", Int(clamping: index))
            json.member("example", row.example)
            json.key("images")
            json.array { json in for image in row.images { json.value(image.imageSha256) } }
            if let steps = row.images.first?.appliedSteps, !steps.isEmpty {
                json.key("steps")
                json.array { json in for step in steps { json.value(step) } }
            }
            json.key("turns")
            json.array { json in
                for turn in row.turns {
                    json.object { json in
                        json.member("role", turn.role.plainName.lowercased())
                        json.member("text", turn.markedText)
                    }
                }
            }
        }
    }
}

extension Turn {
    /// Its text with `<image>` where an image stands.
    var markedText: String {
        parts.map { part in
            switch part.part {
            case .text(let text)?: text
            case .imageIndex?: "<image>"
            case nil: ""
            }
        }
        .joined()
    }
}
