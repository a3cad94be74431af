import Base
import Foundation
import GoldenModels
import Messages
import Operation
import RPC
import Testing

@testable import InferenceService

struct TenantTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test func aMinuteHasSoManyRequests() throws {
        var quota = TenantQuota(Tenant(name: "a", principals: ["p"], requestsPerMinute: 2))
        try quota.enter(at: start)
        try quota.enter(at: start.advanced(bySeconds: 45))
        let refused = InferenceError.quota(
            tenant: "a", what: "requests a minute", seen: 2, max: 2, retryMilliseconds: 10_000)
        #expect(throws: refused) { try quota.enter(at: start.advanced(bySeconds: 50)) }
        try quota.enter(at: start.advanced(bySeconds: 60))
        #expect(quota.running == 3)
    }

    @Test func soManyRequestsRunAtOnceAndARefusedOneTakesNoPlace() throws {
        let now = start
        let book = TenantBook([Tenant(name: "a", principals: ["p"], runningMax: 1)]) { now }
        let visit = try book.enter("p", target: "")
        #expect(
            throws: InferenceError.quota(
                tenant: "a", what: "requests at once", seen: 1, max: 1, retryMilliseconds: 1_000)
        ) { try book.enter("p", target: "").end() }
        visit.end()
        try book.enter("p", target: "").end()
        try book.enter("p", target: "").end()
    }

    @Test func onlyOwnAdaptersMayBeAskedFor() throws {
        let book = TenantBook([Tenant(name: "a", principals: ["p"], adapters: ["mine"])])
        try book.enter("p", target: "adapters/mine").end()
        for (principal, target) in [("p", "adapters/other"), ("p", ""), ("q", "adapters/mine")] {
            let error = #expect(throws: InferenceError.self) {
                try book.enter(principal, target: target).end()
            }
            #expect(error?.kind == .forbidden)
        }
        try TenantBook(nil).enter("q", target: "adapters/other").end()
    }

    @Test(arguments: [
        "{}", "[{\"name\": \"a\"}]", "[{\"name\": \"\", \"principals\": [\"p\"]}]",
        "[{\"name\": \"a\", \"principals\": [\"p\"], \"running\": 1}]",
        "[{\"name\": \"a\", \"principals\": [\"p\"], \"running_max\": 0}]",
        "[{\"name\": \"a\", \"principals\": [\"p\", \"p\"]}]",
    ])
    func aFileThatMeansSomethingElseIsRefused(text: String) throws {
        let path = "/tmp/fovea-tenants-\(UUID().uuidString)"
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(throws: UsageError.self) { try Tenant.list(inFile: path) }
    }
}

/// Over the whole service.
struct TenantGoldenTests {
    @Test(arguments: GoldenFamily.all.prefix(1))
    func aCallerIsToldBothNumbersAndWhenToComeAgain(golden: GoldenFamily) async throws {
        let path = "/tmp/fovea-tenants-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let text = """
            [{"name": "all", "principals": [""], "adapters": ["base"], "requests_per_minute": 1}]
            """
        try Data(text.utf8).write(to: URL(filePath: path))
        let harness = try InferenceHarness(golden, tenantsFile: path)
        let forbidden = try await harness.refusal { $0.target = "adapters/other" }
        let first = try await harness.refusal { _ in }
        let second = try await harness.refusal { _ in }
        await harness.close()
        #expect(forbidden?.code == .permissionDenied)
        #expect(first == nil, "\(first.map(String.init(describing:)) ?? "")")
        #expect(second?.code == .resourceExhausted)
        #expect(second?.message.contains("1 requests a minute, of at most 1") == true)
        let waits = second?.details.contains { if case .retry = $0 { true } else { false } }
        #expect(waits == true)
    }
}
