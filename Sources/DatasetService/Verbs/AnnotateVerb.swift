import Base
import Foundation
import Messages
import Operation
import RPC
import Resources
import Text

extension Verb {
    static let annotate = Verb(
        "annotate", "Take rows to label, blind, or send the answers.", operands: "DATASET",
        options: [
            OptionSpec(
                "annotator", .text, "NAME", from: .flag,
                "Who answers. Default: the name of the token."),
            OptionSpec(
                "limit", .integer(1...100), "ROWS", standard: "10", from: .flag, "Most rows."),
            OptionSpec("images", .text, "DIR", from: .flag, "Write the rows' images there."),
            OptionSpec(
                "side", .integer(64...4_096), "PIXELS", from: .flag,
                "Longest side of the images. Default: as stored."),
            OptionSpec("filter", .text, "FILTER", from: .flag, "Rows to take, as AIP-160."),
            OptionSpec(
                "lease-seconds", .integer(60...86_400), "SECONDS", standard: "3600", from: .flag,
                "How long the rows are reserved."),
            OptionSpec("peek", .flag, from: .flag, "Look without reserving."),
            OptionSpec(
                "submit", .text, "FILE", from: .flag,
                "Send answers: a JSON object a line with task, lease and answer or skipped, and"
                    + " comment, tags, confidence, seconds or supersede."),
        ] + datasetOptions,
        examples: [
            ("fovea-dataset annotate pets --annotator ann --images todo --json", "Ten rows."),
            ("fovea-dataset annotate pets --submit answers.jsonl", "The answers to them."),
        ]
    ) { try await AnnotateVerb($0).run() }
}

/// `annotate`: what an annotation tool needs of the service, as files.
struct AnnotateVerb: Sendable {
    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        if let path = settings.text("submit") { return try await submit(path) }
        return try await take()
    }

    private func take() async throws -> Verb.Outcome {
        var request = ListAnnotationTasksRequest()
        request.parent = try verb.dataset()
        request.annotator = settings.text("annotator") ?? ""
        request.pageSize = UInt32(settings.integer("limit") ?? 10)
        request.imageSidePixels = UInt32(settings.integer("side") ?? 0)
        request.filter = settings.text("filter") ?? ""
        request.peek = settings.flag("peek")
        request.leaseDuration = .with { $0.seconds = Int64(settings.integer("lease-seconds") ?? 0) }
        let asked = request
        let page = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.listAnnotationTasks, asked, options: options)
        }
        var table = TextTable("TASK", "LEASE", "ROW", "QUESTION", "IMAGES")
        for task in page.tasks {
            let row = task.example ?? Example()
            let images = try settings.text("images").map { try write(row.images, of: task, $0) }
            let question = row.turns.last { $0.role == .user }?.markedText ?? ""
            if verb.invocation.wantsJSON {
                show(task, question, images ?? [])
            } else {
                table.add(
                    task.name, task.lease, row.rowID, question,
                    images?.joined(separator: " ") ?? "\(row.images.count)")
            }
        }
        if !verb.invocation.wantsJSON {
            verb.invocation.console.output(table.text)
            verb.invocation.console.complain("\(page.remainingCount) rows are open")
        }
        return .success
    }

    private func show(_ task: AnnotationTask, _ question: String, _ images: [String]) {
        verb.invocation.printJSON { json in
            json.member("task", task.name)
            json.member("lease", task.lease)
            json.member("row", task.example?.rowID ?? "")
            json.member("question", question)
            json.member("guidelines", task.guidelines)
            json.member("expires_ns", Int(task.leaseExpireTime?.nanoseconds ?? 0))
            json.key("images")
            json.array { json in for image in images { json.value(image) } }
        }
    }

    private func write(
        _ images: [StoredImage], of task: AnnotationTask, _ folder: String
    ) throws -> [String] {
        let root = URL(fileURLWithPath: folder)
        let number = task.name.split(separator: "/").last.map(String.init) ?? "0"
        do {
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
            return try images.enumerated().filter { !$0.element.content.isEmpty }.map {
                index, image in
                let kind = settings.has("side") ? "jpeg" : Self.suffix(image.mediaType)
                let file = root.appendingPathComponent("\(number)-\(index).\(kind)")
                try image.content.withUnsafeBytes { Data($0) }.write(to: file)
                return file.path
            }
        } catch {
            throw ImportError.unreadable(folder, why: "images cannot be written there")
        }
    }

    private static func suffix(_ media: String) -> String {
        let name = media.split(separator: "/").last ?? ""
        return ["jpeg", "png", "webp", "tiff"].first { $0 == name } ?? "image"
    }
}

/// Sending answers.
extension AnnotateVerb {
    private struct Tally {
        var stored = 0
        var known = 0
        var refused = 0
    }

    private func submit(_ path: String) async throws -> Verb.Outcome {
        let records = try TextRecords(path: path)
        let dataset = try verb.dataset()
        let tally = Lock(Tally())
        try await verb.invocation.withClient { client in
            try await records.forEach { number, record in
                do {
                    let request = try Self.request(record, dataset)
                    _ = try await client.call(
                        Datasets.submitAnnotation, request, options: verb.options)
                    tally.with { $0.stored += 1 }
                } catch let error as Rejection {
                    refuse(number, error.problem.message, tally)
                } catch let error as RPCError where error.code == .alreadyExists {
                    // Of an earlier run with the same file.
                    tally.with { $0.known += 1 }
                } catch let error as RPCError where Self.isOfOneAnswer(error) {
                    refuse(number, error.message, tally)
                }
                return true
            }
        }
        let counts = tally.with { $0 }
        verb.printOne([
            ("stored", "\(counts.stored)"), ("known", "\(counts.known)"),
            ("refused", "\(counts.refused)"),
        ])
        return counts.refused == 0 ? .success : .failure
    }

    private func refuse(_ number: Int, _ why: String, _ tally: Lock<Tally>) {
        tally.with { $0.refused += 1 }
        verb.invocation.console.complain("answer \(number): \(why)")
    }

    /// Whether other answers may fare better.
    private static func isOfOneAnswer(_ error: RPCError) -> Bool {
        [.invalidArgument, .failedPrecondition, .notFound, .resourceExhausted].contains(error.code)
    }

    private static func request(
        _ record: Data, _ dataset: String
    ) throws -> SubmitAnnotationRequest {
        let fields = try TextRecords.json(record)
        var request = SubmitAnnotationRequest()
        request.task = fields["task"]?.string ?? ""
        guard request.task.hasPrefix(dataset + "/") else {
            throw Rejection(
                .fieldInvalid, field: "task", seen: request.task, allowed: "\(dataset)/...",
                "the task '\(request.task.shortened)' is not one of \(dataset)")
        }
        request.lease = fields["lease"]?.string ?? ""
        request.supersede = fields["supersede"]?.bool ?? false
        request.requestID = UUID().uuidString
        var vote = Vote()
        // An answer that is JSON may stand in the file as JSON.
        vote.answer = fields["answer"].map { $0.string ?? $0.source } ?? ""
        vote.comment = fields["comment"]?.string ?? ""
        vote.tags = fields["tags"]?.elements.compactMap(\.string) ?? []
        vote.confidence = fields["confidence"]?.double
        vote.leadSeconds = fields["seconds"]?.double ?? 0
        vote.skipped = fields["skipped"]?.bool ?? false
        request.vote = vote
        return request
    }
}
