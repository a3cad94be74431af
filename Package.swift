// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // An async function runs where its caller runs: calls within a handler do not switch.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

func shared(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Shared/\(name)",
        swiftSettings: strict)
}

func system(_ name: String, pkgConfig: String? = nil) -> Target {
    .systemLibrary(name: name, path: "Sources/Shared/System/\(name)", pkgConfig: pkgConfig)
}

func service(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: name, dependencies: ["Base", "Messages", "Operation", "RPC"] + dependencies,
        path: "Sources/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "fovea",
    products: [
        .executable(name: "fovea-echo", targets: ["EchoServer"]),
        .executable(name: "fovea-dataset-bench", targets: ["DatasetBench"]),
        .executable(name: "fovea-images-bench", targets: ["ImagesBench"]),
        .executable(name: "fovea-augmentation-bench", targets: ["AugmentationBench"]),
        .executable(name: "fovea-numerics-bench", targets: ["NumericsBench"]),
        .executable(name: "fovea-dataset", targets: ["DatasetService"]),
        .executable(name: "fovea-trainer", targets: ["TrainerService"]),
        .executable(name: "fovea-inference", targets: ["InferenceService"]),
    ],
    targets: [
        system("CLinux"),
        system("CNGHTTP2", pkgConfig: "libnghttp2"),
        system("COpenSSL", pkgConfig: "openssl"),
        system("CProtobufC", pkgConfig: "libprotobuf-c"),
        system("CZlib", pkgConfig: "zlib"),
        system("CCrypto", pkgConfig: "libcrypto"),
        system("CMicroHTTPD", pkgConfig: "libmicrohttpd"),
        system("CSQLite", pkgConfig: "sqlite3"),
        shared("Base", []),
        .target(
            name: "CWire", dependencies: ["CProtobufC"], path: "Sources/Shared/CWire",
            cSettings: strictC),
        .target(
            name: "CMessages", dependencies: ["CProtobufC"], path: "Sources/Shared/CMessages",
            exclude: ["descriptors.bin"], cSettings: strictC),
        shared("Messages", ["Base", "CMessages", "CProtobufC", "CWire"]),
        .target(
            name: "RPC", dependencies: ["Base", "CLinux", "CNGHTTP2", "COpenSSL", "CZlib"],
            path: "Sources/Shared/RPC",
            // A connection is touched by its loop alone; debug builds check exclusivity.
            swiftSettings: strict + [
                .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
            ]),
        shared("Digests", ["CCrypto"]),
        .target(
            name: "CKernels", path: "Sources/Shared/CKernels",
            // Without optimisation kernels are 80 times slower, too slow even for tests.
            cSettings: strictC + [
                .headerSearchPath("."),
                .unsafeFlags(["-O3", "-fno-math-errno", "-fno-trapping-math"]),
            ],
            linkerSettings: [.linkedLibrary("m")]),
        shared("Numerics", ["Base", "CKernels"]),
        .target(
            name: "CImages", path: "Sources/Shared/CImages",
            // Decoding and resampling are loops over pixels, in debug builds too.
            cSettings: strictC + [.unsafeFlags(["-O3", "-fno-math-errno"])],
            linkerSettings: ["deflate", "jpeg", "spng", "tiff", "webp"].map { .linkedLibrary($0) }),
        shared("Images", ["Base", "CImages"]),
        shared("Storage", ["Base", "CLinux", "CSQLite", "Digests"]),
        shared("Resources", ["Base", "Digests", "Messages", "Quality", "Storage"]),
        shared("TensorFiles", ["Base"]),
        shared("Layers", ["Base", "Numerics", "TensorFiles"]),
        shared("Models", ["Base", "Images", "Layers", "Numerics", "TensorFiles", "Text"]),
        shared("Generation", ["Base", "Layers", "Models", "Numerics", "Text"]),
        shared("Text", ["Base"]),
        shared("Quality", ["Base", "Images", "Text"]),
        shared("Evaluation", ["Base", "Quality", "Text"]),
        shared(
            "Training",
            ["Base", "Digests", "Images", "Layers", "Models", "Numerics", "TensorFiles", "Text"]),
        shared("Operation", ["Base", "CLinux", "CMicroHTTPD", "Digests", "Messages", "RPC"]),
        service(
            "DatasetService", ["Digests", "Images", "Quality", "Resources", "Storage", "Text"]),
        service(
            "TrainerService",
            [
                "Digests", "Evaluation", "Generation", "Images", "Layers", "Models", "Numerics",
                "Quality", "Resources", "Storage", "TensorFiles", "Text", "Training",
            ]),
        service(
            "InferenceService",
            [
                "Digests", "Generation", "Images", "Layers", "Models", "Numerics", "Resources",
                "Storage", "Text",
            ]),
        tests("BaseTests", ["Base"]),
        tests("LayersTests", ["Base", "Layers", "Numerics", "TensorFiles"]),
        tests("MessagesTests", ["Base", "Messages", "TestSupport"]),
        .target(
            name: "TestSupport", dependencies: ["Base", "Messages", "RPC"],
            path: "Tests/TestSupport", swiftSettings: strict),
        tests(
            "OperationTests", ["Base", "Digests", "Messages", "Operation", "RPC", "TestSupport"]),
        .executableTarget(
            name: "EchoServer",
            dependencies: ["Base", "Messages", "Operation", "RPC", "TestSupport"],
            path: "Tests/EchoServer", swiftSettings: strict),
        .executableTarget(
            name: "NumericsBench", dependencies: ["CKernels", "Numerics"],
            path: "Benchmarks/numerics/ours", swiftSettings: strict),
        tests("NumericsTests", ["Base", "CKernels", "Numerics", "TensorFiles"]),
        .executableTarget(
            name: "DatasetBench",
            dependencies: ["Base", "CLinux", "Images", "Messages", "Quality", "RPC"],
            path: "Benchmarks/dataset/ours", swiftSettings: strict),
        .executableTarget(
            name: "ImagesBench", dependencies: ["Base", "Images"],
            path: "Benchmarks/images/ours", swiftSettings: strict),
        .executableTarget(
            name: "AugmentationBench", dependencies: ["Base", "Images", "Quality"],
            path: "Benchmarks/augmentation/ours", swiftSettings: strict),
        tests("ImagesTests", ["Base", "CImages", "Images", "TensorFiles", "TestSupport"]),
        tests(
            "ModelsTests",
            [
                "Base", "GoldenModels", "Images", "Layers", "Models", "Numerics", "TensorFiles",
                "Text",
            ]),
        .target(
            name: "GoldenModels",
            dependencies: [
                "Base", "Images", "Layers", "Models", "Numerics", "TensorFiles", "Text",
            ],
            path: "Tests/GoldenModels", swiftSettings: strict),
        tests(
            "GenerationTests",
            ["Generation", "GoldenModels", "Layers", "Models", "Numerics", "Text"]),
        tests("RPCTests", ["Base", "Messages", "RPC", "TestSupport"]),
        tests("StorageTests", ["Base", "Digests", "Storage", "TestSupport"]),
        tests("TensorFilesTests", ["Base", "TensorFiles", "TestSupport"]),
        tests("QualityTests", ["Base", "Images", "Quality", "TestSupport", "Text"]),
        tests("EvaluationTests", ["Base", "Evaluation", "Quality", "TestSupport", "Text"]),
        tests("TextTests", ["Base", "TestSupport", "Text"]),
        tests(
            "DatasetTests",
            [
                "Base", "DatasetService", "Digests", "Images", "Messages", "Operation", "Quality",
                "RPC", "Resources", "Storage", "TestSupport", "Text",
            ]),
        tests(
            "TrainerTests",
            [
                "Base", "DatasetService", "Digests", "Evaluation", "Generation", "GoldenModels",
                "Images", "Messages", "Models", "Operation", "RPC", "Resources", "Storage",
                "TestSupport",
                "TrainerService",
            ]),
        tests(
            "InferenceTests",
            [
                "Base", "Generation", "GoldenModels", "InferenceService", "Messages", "Models",
                "Operation", "RPC", "Text",
            ]),
        tests(
            "TrainingTests",
            [
                "Base", "Digests", "GoldenModels", "Images", "Layers", "Models", "Numerics",
                "TensorFiles", "Text", "Training",
            ]),
        tests("EndToEnd", ["Base", "DatasetService", "InferenceService", "TrainerService"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
