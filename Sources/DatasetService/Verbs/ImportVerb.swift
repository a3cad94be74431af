import Base
import Images
import Messages
import Operation
import RPC

extension Verb {
    static let importing = Verb(
        "import", "Bring rows and images in.", operands: "DATASET SOURCE",
        options: [
            OptionSpec(
                "format", .choice(ImportFormat.allCases.map(\.rawValue)), "FORMAT", from: .flag,
                "Default: found from the source's content."),
            OptionSpec(
                "images", .text, "DIR", from: .flag,
                "What image paths are relative to. Default: the source's folder."),
            OptionSpec("image-column", .text, "NAME", from: .flag, "Column of image paths."),
            OptionSpec("answer-column", .text, "NAME", from: .flag, "Column of answers."),
            OptionSpec("prompt-column", .text, "NAME", from: .flag, "Column of questions."),
            OptionSpec("id-column", .text, "NAME", from: .flag, "Column of row ids."),
            OptionSpec(
                "group-column", .list, "COLUMN=KEY", from: .flag, "Column with a group value."),
            OptionSpec("tag-column", .list, "NAME", from: .flag, "Column with a tag."),
            OptionSpec("tag", .list, "TAG", from: .flag, "A tag for every row."),
            OptionSpec("licence", .text, "NAME", from: .flag, "Licence of rows that state none."),
            OptionSpec("source", .text, "TEXT", from: .flag, "Origin of rows that state none."),
            OptionSpec("replace", .flag, from: .flag, "Replace rows that exist otherwise."),
            OptionSpec("validate-only", .flag, from: .flag, "Check and report, keep nothing."),
        ] + datasetOptions,
        examples: [
            ("fovea-dataset import pets train.json --images photos", "LLaVA, ShareGPT or others."),
            (
                "fovea-dataset import cells labels.csv --image-column path --answer-column class"
                    + " --group-column module=part",
                "A CSV file, its columns named."
            ),
        ]
    ) { try await ImportVerb($0).run() }
}

/// `import`: reads a source and uploads its rows; every row is accounted for.
struct ImportVerb: Sendable {
    /// Rows refused here before they were sent.
    private struct Local {
        var sent = 0
        var refused: [(number: UInt64, problem: Problem)] = []
        var refusedCount = 0
    }

    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let given = settings.text("format").flatMap(ImportFormat.init(rawValue:))
        let operand = try verb.operand(1, "SOURCE")
        let path = given == .classFolders ? operand : try ImportFormat.description(operand)
        let format = try given ?? ImportFormat.detect(path)
        let source = format.rows(
            of: path, columns: try columns(), images: settings.text("images"))
        let header = try header(format, path)
        let local = Lock(Local())
        let response = try await verb.invocation.withClient { client in
            try await client.call(Datasets.ingestExamples) { requests in
                try await requests.write(Self.request(.header(header)))
                try await source.forEach { row in try await send(row.checked, requests, local) }
            }
        }
        let refused = local.with { $0 }
        let problems =
            refused.refused
            + response.rows.filter { $0.verdict == .rejected }.flatMap { row in
                row.problems.map { (row.rowNumber, $0) }
            }
        let files = try await files(of: Set(problems.map(\.number)), in: source)
        report(response, refused, format)
        for (number, problem) in problems.sorted(by: { $0.number < $1.number }) {
            let file = files[number].map { " (\($0))" } ?? ""
            verb.invocation.console.complain(
                "row \(number)\(file): \(problem.reason.plainName): \(problem.message)")
        }
        let total = response.rowCount + UInt64(refused.refusedCount)
        let rejected = response.rejectedCount + UInt64(refused.refusedCount)
        return total > 0 && rejected == total ? .failure : .success
    }

    /// The first image files of some rows: numbers alone say little of a folder.
    private func files(
        of numbers: Set<UInt64>, in source: any RowSource
    ) async throws -> [UInt64: String] {
        guard !numbers.isEmpty else { return [:] }
        let files = Lock([UInt64: String]())
        try await source.forEach { row in
            guard numbers.contains(row.number), case .file(let path)? = row.images.first else {
                return
            }
            files.with { $0[row.number] = path }
        }
        return files.with { $0 }
    }

    private static func request(_ part: IngestExamplesRequest.Part) -> IngestExamplesRequest {
        .with { $0.part = part }
    }

    private func columns() throws(UsageError) -> TableColumns {
        var columns = TableColumns()
        if let name = settings.text("image-column") { columns.image = [name] }
        if let name = settings.text("answer-column") { columns.answer = [name] }
        if let name = settings.text("prompt-column") { columns.prompt = [name] }
        if let name = settings.text("id-column") { columns.id = [name] }
        columns.tags = settings.list("tag-column")
        for pair in settings.list("group-column") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard let column = parts.first else { continue }
            columns.groups[column] = parts.count == 2 ? parts[1] : column
        }
        return columns
    }

    private func header(_ format: ImportFormat, _ path: String) throws(UsageError) -> IngestHeader {
        var header = IngestHeader()
        header.parent = try verb.dataset()
        header.validateOnly = settings.flag("validate-only")
        header.conflictPolicy = settings.flag("replace") ? .replace : .reject
        header.tags = settings.list("tag")
        let name = path.split(separator: "/").last.map(String.init) ?? path
        header.origin = "\(format.rawValue):\(name)"
        if settings.has("licence") || settings.has("source") {
            header.defaultRights = .with {
                $0.licence = settings.text("licence") ?? ""
                $0.source = settings.text("source") ?? ""
            }
        }
        return header
    }

    private func send(
        _ source: SourceRow, _ requests: RequestWriter<IngestExamplesRequest>, _ local: Lock<Local>
    ) async throws {
        var row = source.row
        row.rowNumber = source.number
        var contents: [Bytes] = []
        do throws(Rejection) {
            if let problem = source.problem { throw problem }
            for image in source.images { contents.append(try image.bytes()) }
        } catch {
            local.with {
                $0.refusedCount += 1
                if $0.refused.count < Limits.reportsStandard {
                    $0.refused.append((source.number, error.problem))
                }
            }
            return
        }
        let isLarge = contents.reduce(0) { $0 + $1.count } > Limits.groupBytesMax
        for (index, content) in contents.enumerated() {
            let known = row.images.indices.contains(index) ? row.images[index].displayName : ""
            var image = RowImage()
            image.displayName = known.isEmpty ? source.images[index].name : known
            if isLarge {
                let key = "\(source.number)/\(index)"
                try await upload(content, key, requests)
                image.source = .uploadKey(key)
            } else {
                image.source = .content(content)
            }
            if row.images.indices.contains(index) {
                row.images[index] = image
            } else {
                row.images.append(image)
            }
        }
        try await requests.write(Self.request(.row(row)))
        local.with { $0.sent += 1 }
    }

    /// Sends an image in pieces.
    private func upload(
        _ content: Bytes, _ key: String, _ requests: RequestWriter<IngestExamplesRequest>
    ) async throws {
        let size = Limits.uploadPieceBytesMax
        for start in stride(from: 0, to: max(1, content.count), by: size) {
            let end = min(start + size, content.count)
            try await requests.write(
                Self.request(
                    .image(
                        .with {
                            $0.uploadKey = key
                            $0.content = content.slice(start..<end)
                            $0.last = end == content.count
                        })))
        }
    }

    private func report(
        _ response: IngestExamplesResponse, _ local: Local, _ format: ImportFormat
    ) {
        verb.printOne([
            ("format", format.rawValue),
            ("rows", "\(response.rowCount + UInt64(local.refusedCount))"),
            ("accepted", "\(response.acceptedCount)"),
            ("duplicate", "\(response.duplicateCount)"),
            ("rejected", "\(response.rejectedCount + UInt64(local.refusedCount))"),
            ("new_images", "\(response.newImageCount)"),
            ("known_images", "\(response.knownImageCount)"),
        ])
    }
}
