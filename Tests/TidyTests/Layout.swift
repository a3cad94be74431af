/// What the rules know about this repository: the one place to edit when it grows.
enum Layout {
    /// What each target may import besides the standard library, Foundation and Dispatch.
    /// STYLE.md explains the graph; a C module is imported by the targets that wrap it.
    static let imports: [String: Set<String>] = {
        let service: Set = [
            "Base", "Digests", "RPC", "Messages", "Operation", "Storage", "Images", "Text",
            "Quality", "Resources",
        ]
        let models: Set = ["Base", "Numerics", "TensorFiles", "Layers", "Text", "Images"]
        let engine = models.union(["Models", "Generation"])
        return [
            "Base": [],
            "Digests": ["Base", "CCrypto"],
            "RPC": ["Base", "CLinux", "CNGHTTP2", "COpenSSL", "CZlib"],
            "Storage": ["Base", "Digests", "CLinux", "CSQLite"],
            "Resources": ["Base", "Digests", "Messages", "Quality", "Storage"],
            "Messages": ["Base", "CMessages", "CProtobufC", "CWire"],
            "Operation": ["Base", "Digests", "RPC", "Messages", "CLinux", "CMicroHTTPD"],
            "Numerics": ["Base", "CKernels", "Kernels"],
            "TensorFiles": ["Base"],
            "Layers": ["Base", "Numerics", "TensorFiles"],
            "Text": ["Base"],
            "Images": ["Base", "CImages"],
            "Quality": ["Base", "Text", "Images"],
            "Evaluation": ["Base", "Text", "Quality"],
            "Models": models,
            "Generation": models.union(["Models"]),
            "Training": models.union(["Models", "Digests"]),
            "TestSupport": service.union(engine),
            // Models with reference values, for every test that runs one.
            "GoldenModels": models.union(["Models"]),
            "ModelsTests": models.union(["Models", "GoldenModels", "TestSupport", "Testing"]),
            "GenerationTests": engine.union(["GoldenModels", "Testing"]),
            "TrainingTests": models.union([
                "Models", "Digests", "GoldenModels", "Training", "Testing",
            ]),
            // Golden values come in files of tensors.
            "NumericsTests": ["Base", "CKernels", "Numerics", "TensorFiles", "Testing"],
            // Calls need messages, which the library itself knows nothing of.
            "RPCTests": [
                "Base", "RPC", "Messages", "CLinux", "CNGHTTP2", "TestSupport", "Testing",
            ],
            "EndToEnd": ["Testing"],
            "DatasetTests": service.union(["DatasetService", "TestSupport", "Testing"]),
            // The trainer reads rows from a dataset service.
            "TrainerTests": service.union(engine).union([
                "DatasetService", "Evaluation", "GoldenModels", "TrainerService", "Training",
                "TestSupport", "Testing",
            ]),
            "InferenceTests": service.union(engine).union([
                "GoldenModels", "InferenceService", "TestSupport", "Testing",
            ]),
            "DatasetBench": ["Base", "CLinux", "Images", "Messages", "Quality", "RPC"],
            "ImagesBench": ["Base", "Images"],
            "AugmentationBench": ["Base", "Images", "Quality"],
            // Golden values come in safetensors files.
            "ImagesTests": [
                "Base", "CImages", "Images", "TensorFiles", "TestSupport", "Testing",
            ],
            "NumericsBench": ["CKernels", "Numerics"],
            "EchoServer": ["Base", "RPC", "Messages", "Operation", "TestSupport"],
            "DatasetService": service,
            "TrainerService": service.union(engine).union(["Evaluation", "Training"]),
            "InferenceService": service.union(engine),
        ]
    }()

    /// What every target may import.
    static let importsOfAll: Set = [
        "Swift", "Synchronization", "Foundation", "FoundationEssentials", "Dispatch", "Glibc",
    ]

    /// Written by a generator and committed: never read for style.
    static func isGenerated(_ path: String) -> Bool {
        path.hasPrefix("Sources/Shared/CMessages/")
            || path.hasPrefix("Sources/Shared/Messages/Generated/")
    }

    /// Word for word from elsewhere: not ours to style.
    static func isCopied(_ path: String) -> Bool {
        path.hasPrefix("proto/google/") || path.hasPrefix("proto/grpc/") || path == "LICENSE"
    }

    /// May be larger than `bytesMax`.
    static func mayBeLarge(_ path: String) -> Bool {
        isGenerated(path) || path.hasPrefix("Tests/Goldens/")
    }

    static let bytesMax = 256 * 1024
    static let linesMax = 600
    static let columnsMax = 100
    static let functionLinesMax = 70
    static let parametersMax = 6

    /// Nouns that say nothing, as words of type names.
    static let emptyNouns: Set = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Data", "Info",
    ]
    /// Verbs that say nothing, as first words of function names.
    static let emptyVerbs: Set = ["process", "handle", "perform"]
    /// Folder and file names that say nothing.
    static let emptyFolders: Set = ["Utils", "Util", "Common", "Helpers", "Core", "Misc"]
    /// Names that HTTP/2, gRPC or our own contract chose.
    static let givenNames: Set = [
        "DataFrame", "ErrorInfo", "RetryInfo", "ResourceInfo", "RequestInfo", "DebugInfo",
        "ModelInfo", "GetModelInfo",
    ]

    /// Functions whose parameters a C library chose.
    static let givenSignatures: Set = ["answerRequest"]

    /// Names that mean the same everywhere, so that a comment would only repeat them.
    static let plainNames: Set = ["count", "isEmpty"]

    /// Requirements of standard protocols, whose meaning is documented there.
    static let standardRequirements: [String: Set<String>] = [
        "CustomStringConvertible": ["description"],
        "CustomDebugStringConvertible": ["debugDescription"],
        "LocalizedError": ["errorDescription"],
        "Equatable": ["=="], "Hashable": ["==", "hash"], "Comparable": ["<", "=="],
        "Identifiable": ["id"], "RawRepresentable": ["rawValue", "init"],
        "CaseIterable": ["allCases"], "OptionSet": ["rawValue", "init"],
        "Codable": ["encode", "init"], "Encodable": ["encode"], "Decodable": ["init"],
        "Sequence": ["makeIterator"], "IteratorProtocol": ["next"],
        "AsyncSequence": ["makeAsyncIterator"], "AsyncIteratorProtocol": ["next"],
        "Executor": ["enqueue"], "SerialExecutor": ["enqueue", "asUnownedSerialExecutor"],
        "TaskExecutor": ["enqueue", "asUnownedTaskExecutor"],
        "ExpressibleByStringLiteral": ["init"], "ExpressibleByArrayLiteral": ["init"],
        "ExpressibleByDictionaryLiteral": ["init"], "ExpressibleByIntegerLiteral": ["init"],
    ]
}
