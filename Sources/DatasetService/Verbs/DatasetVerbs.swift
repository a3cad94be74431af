import Base
import Messages
import Operation
import RPC
import Resources

/// Options and names that verbs share.
extension Verb {
    static let datasetOptions = [
        OptionSpec(
            "server", .text, "ADDRESS", from: .variable("FOVEA_DATASET"),
            "unix:PATH or HOST:PORT. Default: the socket that serve uses by default."),
        OptionSpec("token-file", .text, "FILE", "A file that holds the token to send."),
        OptionSpec(
            "tls-ca", .text, "FILE", "PEM authorities to trust: turns TLS on for HOST:PORT."),
        OptionSpec(
            "timeout-seconds", .seconds(0.001...86_400), "SECONDS", standard: "600", from: .flag,
            "How long to wait for an answer."),
        OptionSpec("json", .flag, from: .flag, "Print JSON for programs."),
    ]

    static let ofDatasets: [Verb] = [
        create, importing, annotate, agreement, disagreements, adjudicate, guidelines, inspect,
        augment, preview, freeze, list, show, diff, export, stream, verify,
    ]

    private static let create = Verb(
        "create", "Create a dataset.", operands: "DATASET",
        options: [
            OptionSpec(
                "task", .choice(AnswerTask.allKnown.dropFirst().map { $0.plainName.lowercased() }),
                "TASK", from: .flag,
                "classification, extraction, reasoning or generation. Required."),
            OptionSpec(
                "domain",
                .choice(ImageDomain.allKnown.dropFirst().map { $0.plainName.lowercased() }),
                "DOMAIN", from: .flag, "document, defect, medical, aerial or generic."),
            OptionSpec(
                "class", .list, "NAME", from: .flag,
                "A class of a classification; give it once for each."),
            OptionSpec("schema", .text, "FILE", from: .flag, "JSON Schema of answers."),
            OptionSpec(
                "group-key", .list, "KEY", from: .flag,
                "A key whose values never cross a split, such as patient."),
            OptionSpec("prompt", .text, "TEXT", from: .flag, "Asked where a row brings none."),
            OptionSpec("title", .text, "TEXT", from: .flag, "A title for people."),
        ] + datasetOptions,
        examples: [
            (
                "fovea-dataset create cells --task classification --class ok --class broken"
                    + " --domain defect --prompt 'Is this cell broken?'",
                "Two classes, one standing question."
            )
        ]
    ) { try await DatasetVerb($0).create() }

    private static let freeze = Verb(
        "freeze", "Freeze a version.", operands: "DATASET",
        options: [
            OptionSpec("seed", .integer(0...Int.max), "N", standard: "0", from: .flag, "Seed."),
            OptionSpec(
                "validation", .integer(0...5_000), "POINTS", from: .flag,
                "Share of validation rows in basis points. Default: 1000."),
            OptionSpec(
                "test", .integer(0...5_000), "POINTS", from: .flag,
                "Share of test rows in basis points. Default: 1000, or 200 rows."),
            OptionSpec(
                "hash-distance", .integer(0...16), "BITS", from: .flag,
                "Bits in which near-duplicates may differ. Default: 6."),
            OptionSpec("stratify-by", .text, "FIELD", from: .flag, "/pointer or attributes.KEY."),
            OptionSpec("extend", .text, "VERSION", from: .flag, "Number of a version to grow."),
            OptionSpec("follow-source", .flag, from: .flag, "Keep the splits of the source."),
            OptionSpec("skip-undecided", .flag, from: .flag, "Leave open rows out."),
            OptionSpec("filter", .text, "FILTER", from: .flag, "Rows to take, as AIP-160."),
            OptionSpec("description", .text, "TEXT", from: .flag, "What it is for."),
            OptionSpec("validate-only", .flag, from: .flag, "Divide and report, keep nothing."),
        ] + datasetOptions,
        examples: [
            ("fovea-dataset freeze cells --seed 7", "80 % train, 10 % validation, 10 % test.")
        ]
    ) { try await DatasetVerb($0).freeze() }

    private static let list = Verb(
        "list", "List datasets, or versions of one.", operands: "[DATASET]",
        options: [OptionSpec("filter", .text, "FILTER", from: .flag, "As AIP-160.")]
            + datasetOptions
    ) { try await DatasetVerb($0).list() }

    private static let show = Verb(
        "show", "Show a dataset, or one of its versions.", operands: "DATASET [VERSION]",
        options: datasetOptions
    ) { try await DatasetVerb($0).show() }

    private static let diff = Verb(
        "diff", "Compare two versions.", operands: "DATASET OLD NEW", options: datasetOptions
    ) { try await DatasetVerb($0).diff() }
}

/// What verbs need to call a server.
struct DatasetVerb: Sendable {
    let invocation: Invocation

    init(_ invocation: Invocation) { self.invocation = invocation }

    var options: CallOptions {
        CallOptions(timeoutSeconds: invocation.settings.number("timeout-seconds") ?? 600)
    }

    func operand(_ index: Int, _ what: String) throws(UsageError) -> String {
        try invocation.operand(index, what)
    }

    func dataset() throws(UsageError) -> String { "datasets/\(try operand(0, "DATASET"))" }

    func version(_ index: Int) throws(UsageError) -> String {
        "\(try dataset())/versions/\(try operand(index, "VERSION"))"
    }

    func create() async throws -> Verb.Outcome {
        let settings = invocation.settings
        guard let task = settings.text("task").flatMap({ AnswerTask(plainName: $0) }) else {
            throw UsageError.missing(option: "--task", why: "say what kind of answer is learned")
        }
        var dataset = Dataset()
        dataset.task = task
        dataset.domain = settings.text("domain").flatMap { ImageDomain(plainName: $0) } ?? .generic
        dataset.displayName = settings.text("title") ?? ""
        dataset.groupKeys = settings.list("group-key")
        dataset.defaultPrompt = settings.text("prompt") ?? ""
        var schema = AnswerSchema()
        schema.classes = settings.list("class").map { name in .with { $0.name = name } }
        if let path = settings.text("schema") {
            switch SmallFile.read(path, bytesMax: Limits.schemaBytesMax + 1) {
            case .success(let bytes): schema.jsonSchema = bytes.text ?? ""
            case .failure(let error): throw ImportError.unreadable(path, why: error.words)
            }
        }
        dataset.answerSchema = schema
        let request = CreateDatasetRequest.with {
            $0.datasetID = invocation.operands.first ?? ""
            $0.dataset = dataset
        }
        let made = try await invocation.withClient { [options] client in
            try await client.call(Datasets.createDataset, request, options: options)
        }
        print(made)
        return .success
    }

    func freeze() async throws -> Verb.Outcome {
        let request = try freezeRequest()
        let response = try await invocation.withClient { [options] client in
            try await client.call(Datasets.freezeVersion, request, options: options)
        }
        print(response.version ?? DatasetVersion())
        if !invocation.wantsJSON {
            if response.alreadyExisted {
                invocation.console.complain("the same content was frozen before")
            }
            for left in response.leftOut {
                invocation.console.complain("left out: \(left.itemCount) rows (\(left.name))")
            }
        }
        return .success
    }

    private func freezeRequest() throws(UsageError) -> FreezeVersionRequest {
        let settings = invocation.settings
        var spec = SplitSpec()
        spec.seed = UInt64(settings.integer("seed") ?? 0)
        spec.validationBasisPoints = settings.integer("validation").map { UInt32($0) }
        spec.testBasisPoints = settings.integer("test").map { UInt32($0) }
        spec.hashDistanceMax = settings.integer("hash-distance").map { UInt32($0) }
        spec.stratifyBy = settings.text("stratify-by") ?? ""
        spec.followSource = settings.flag("follow-source")
        let parent = try dataset()
        if let number = settings.text("extend") {
            spec.extendVersion = "\(parent)/versions/\(number)"
        }
        var request = FreezeVersionRequest()
        (request.parent, request.splitSpec) = (parent, spec)
        request.filter = settings.text("filter") ?? ""
        request.description = settings.text("description") ?? ""
        request.skipUndecided = settings.flag("skip-undecided")
        request.validateOnly = settings.flag("validate-only")
        return request
    }

    func list() async throws -> Verb.Outcome {
        let filter = invocation.settings.text("filter") ?? ""
        guard !invocation.operands.isEmpty else {
            let all = try await datasets(filter)
            var table = TextTable("DATASET", "TASK", "ROWS", "IMAGES", "BYTES", "LATEST")
            for item in all {
                table.add(
                    item.name, item.task.plainName.lowercased(), "\(item.exampleCount)",
                    "\(item.imageCount)", "\(item.storedBytes)", item.latestVersion)
            }
            printAll(all.map(Self.fields), table)
            return .success
        }
        let all = try await versions(filter)
        var table = TextTable("VERSION", "ROWS", "TRAIN", "VALIDATION", "TEST", "ERASED", "DIGEST")
        for item in all {
            let counts = item.splits.map { "\($0.exampleCount)" } + ["", "", ""]
            table.add(
                item.name, "\(item.exampleCount)", counts[0], counts[1], counts[2],
                "\(item.erasedCount)", String(item.contentSha256.prefix(12)))
        }
        printAll(all.map(Self.fields), table)
        return .success
    }

    private func datasets(_ filter: String) async throws -> [Dataset] {
        try await invocation.withClient { [options] client in
            var all: [Dataset] = []
            var token = ""
            repeat {
                let page = try await client.call(
                    Datasets.listDatasets,
                    .with { ($0.filter, $0.pageToken, $0.pageSize) = (filter, token, 1_000) },
                    options: options)
                all += page.datasets
                token = page.nextPageToken
            } while !token.isEmpty
            return all
        }
    }

    private func versions(_ filter: String) async throws -> [DatasetVersion] {
        let parent = try dataset()
        return try await invocation.withClient { [options] client in
            var all: [DatasetVersion] = []
            var token = ""
            repeat {
                let page = try await client.call(
                    Datasets.listVersions,
                    .with {
                        ($0.parent, $0.filter, $0.pageToken) = (parent, filter, token)
                        $0.pageSize = 1_000
                    }, options: options)
                all += page.versions
                token = page.nextPageToken
            } while !token.isEmpty
            return all
        }
    }

    func show() async throws -> Verb.Outcome {
        if invocation.operands.count > 1 {
            let name = try version(1)
            print(
                try await invocation.withClient { [options] client in
                    try await client.call(
                        Datasets.getVersion, .with { $0.name = name }, options: options)
                })
        } else {
            let name = try dataset()
            print(
                try await invocation.withClient { [options] client in
                    try await client.call(
                        Datasets.getDataset, .with { $0.name = name }, options: options)
                })
        }
        return .success
    }

    func diff() async throws -> Verb.Outcome {
        let (old, new) = (try version(1), try version(2))
        let diff = try await invocation.withClient { [options] client in
            try await client.call(
                Datasets.diffVersions,
                .with { ($0.oldVersion, $0.newVersion, $0.pageSize) = (old, new, 1_000) },
                options: options)
        }
        var table = TextTable("ROW", "CHANGE", "SPLIT", "ANSWER")
        for row in diff.differences {
            let splits = [row.oldSplit, row.newSplit].map { $0.plainName.lowercased() }
            table.add(
                row.example, row.change.plainName.lowercased(), splits.joined(separator: " > "),
                row.oldAnswer == row.newAnswer ? "" : "\(row.oldAnswer) > \(row.newAnswer)")
        }
        let totals = diff.totals.map { ($0.name, "\($0.itemCount)") }
        let counts = [
            ("unchanged", "\(diff.unchangedCount)"), ("crossed", "\(diff.crossedCount)"),
        ]
        printAll([totals + counts], table)
        if !invocation.wantsJSON {
            for (name, count) in totals + counts {
                invocation.console.output("\(name): \(count)\n")
            }
            for change in diff.settingChanges { invocation.console.output(change + "\n") }
        }
        return .success
    }
}

/// Printing.
extension DatasetVerb {
    static func fields(_ dataset: Dataset) -> [(String, String)] {
        [
            ("name", dataset.name), ("title", dataset.displayName),
            ("task", dataset.task.plainName.lowercased()),
            ("domain", dataset.domain.plainName.lowercased()),
            (
                "classes",
                dataset.answerSchema?.classes.map(\.name).joined(separator: ", ") ?? ""
            ), ("group_keys", dataset.groupKeys.joined(separator: ", ")),
            ("rows", "\(dataset.exampleCount)"), ("images", "\(dataset.imageCount)"),
            ("bytes", "\(dataset.storedBytes)"), ("latest_version", dataset.latestVersion),
            ("etag", dataset.etag),
        ]
    }

    static func fields(_ version: DatasetVersion) -> [(String, String)] {
        let splits = version.splits.map {
            ($0.split.plainName.lowercased(), "\($0.exampleCount)")
        }
        let certificate = version.certificate ?? LeakageCertificate()
        let leaks =
            certificate.sharedImageCount + certificate.sharedClusterCount
            + certificate.sharedGroupCount
        return [("name", version.name), ("sha256", version.contentSha256)] + splits + [
            ("rows", "\(version.exampleCount)"), ("erased", "\(version.erasedCount)"),
            ("image_bytes", "\(version.imageBytes)"), ("leaks", "\(leaks)"),
            ("near_duplicate_clusters", "\(certificate.clusterCount)"),
            ("nearest_distance_bits", "\(certificate.nearestDistanceBits)"),
            ("warnings", version.warnings.map(\.message).joined(separator: "; ")),
        ]
    }

    private func print(_ dataset: Dataset) { printOne(Self.fields(dataset)) }

    private func print(_ version: DatasetVersion) { printOne(Self.fields(version)) }

    func printOne(_ fields: [(String, String)]) { invocation.printResult(fields) }

    func printAll(_ items: [[(String, String)]], _ table: TextTable) {
        invocation.printResults(items, table)
    }
}
