// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
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

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "fovea",
    products: [],
    targets: [
        system("CLinux"),
        system("CNGHTTP2", pkgConfig: "libnghttp2"),
        system("COpenSSL", pkgConfig: "openssl"),
        system("CProtobufC", pkgConfig: "libprotobuf-c"),
        system("CZlib", pkgConfig: "zlib"),
        shared("Base", []),
        .target(
            name: "CWire", dependencies: ["CProtobufC"], path: "Sources/Shared/CWire",
            cSettings: strictC),
        .target(
            name: "CMessages", dependencies: ["CProtobufC"], path: "Sources/Shared/CMessages",
            exclude: ["descriptors.bin"], cSettings: strictC),
        shared("Messages", ["Base", "CMessages", "CProtobufC", "CWire"]),
        shared("RPC", ["Base", "CLinux", "CNGHTTP2", "COpenSSL", "CZlib"]),
        tests("BaseTests", ["Base"]),
        tests("MessagesTests", ["Base", "Messages"]),
        tests("RPCTests", ["Base", "RPC"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
