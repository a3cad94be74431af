import Base
import Messages
import Testing

struct DescriptorsTests {
    private let descriptors = Descriptors.shared

    @Test func everyMethodHasItsDescriptorInSwift() {
        let inFiles = descriptors.methods.map(\.path)
        let inSwift = Services.all.flatMap(\.methods)
        #expect(inSwift.map(\.path) == inFiles)
        #expect(Services.all.map(\.name) == descriptors.services)
        for (method, entry) in zip(descriptors.methods, inSwift) {
            #expect(entry.path == method.path)
            #expect(entry.kind == method.kind, "\(method.path)")
            #expect(entry.request == method.request, "\(method.path)")
            #expect(entry.response == method.response, "\(method.path)")
        }
        #expect(descriptors.services.contains("grpc.health.v1.Health"))
        #expect(descriptors.services.contains("fovea.testing.v1.Echo"))
        #expect(EchoTest.Echo.unary.path.isIdempotent)
        #expect(!EchoTest.Echo.clientStream.path.isIdempotent)
        #expect(EchoTest.Echo.methods.count == 5)
    }

    @Test(arguments: [
        "fovea.testing.v1.Echo", "fovea.testing.v1.Echo.Unary", "fovea.testing.v1.Everything",
        "fovea.testing.v1.Everything.Nested", "fovea.testing.v1.Everything.Inner",
        "fovea.testing.v1.Everything.INNER_ONE", "fovea.testing.v1.SHADE_DARK",
        "fovea.testing.v1.Everything.choice", "fovea.testing.v1.Everything.Nested.number",
    ])
    func symbolsAreFound(symbol: String) {
        #expect(descriptors.file(defining: symbol)?.name == "fovea/testing/v1/echo.proto")
    }

    @Test func filesComeWithWhatTheyNeed() throws {
        let echo = try #require(descriptors.file(named: "fovea/testing/v1/echo.proto"))
        #expect(echo.dependencies == ["google/rpc/status.proto"])
        let names = descriptors.closure(of: echo).map(\.name)
        #expect(names == ["google/protobuf/any.proto", "google/rpc/status.proto", echo.name])
        #expect(descriptors.file(defining: "fovea.testing.v1.None") == nil)
        #expect(descriptors.file(named: "none.proto") == nil)
        for file in descriptors.files {
            for name in file.dependencies { #expect(descriptors.file(named: name) != nil) }
        }
    }
}

struct StatusDetailsTests {
    private let details: [FailureDetail] = [
        .field(path: "a.b", description: "1 to 5"),
        .field(path: "c", description: "not empty"),
        .quota(subject: "client:1", description: "10 of 10"),
        .precondition(type: "STATE", subject: "jobs/1", description: "must be running"),
        .resource(type: "dataset", name: "datasets/1", description: "deleted"),
        .retry(afterSeconds: 1.5),
    ]

    @Test func detailsComeBack() throws {
        let bytes = StatusDetails.encode(
            code: 3, message: "no", reason: "BAD", domain: "fovea", facts: ["limit": "5"],
            details: details)
        let decoded = try StatusDetails.decode(bytes)
        #expect(decoded.code == 3)
        #expect(decoded.message == "no")
        #expect(decoded.reason == "BAD")
        #expect(decoded.domain == "fovea")
        #expect(decoded.facts == ["limit": "5"])
        #expect(decoded.details == details)
        let status = try GoogleRPC.Status(decoding: bytes)
        #expect(status.details.first?.typeURL == "type.googleapis.com/google.rpc.ErrorInfo")
    }

    @Test func anyTextAndTimeCanBeSent() throws {
        let bytes = StatusDetails.encode(
            code: 13, message: "a\0b", reason: "", domain: "", facts: ["\0": "\0"],
            details: [.retry(afterSeconds: .nan), .retry(afterSeconds: .infinity)])
        let decoded = try StatusDetails.decode(bytes)
        #expect(decoded.message == "a\u{FFFD}b")
        #expect(decoded.details.first == .retry(afterSeconds: 0))
        #expect(decoded.details.count == 2)
        #expect(throws: WireError.self) { try StatusDetails.decode([0x12]) }
    }
}
