import Numerics
import Testing

@Suite struct CPUBackendTests {
    @Test func everyMachineHasTheScalarTier() {
        #expect(CPUBackend.Tier.available.first == .scalar)
    }

    @Test func aTierOfAnotherProcessorIsRefusedByName() throws {
        let missing = CPUBackend.Tier.allCases.filter { !$0.isAvailable }
        for tier in missing {
            #expect(throws: CPUBackendError.tierUnavailable(tier.rawValue)) {
                try CPUBackend(tier: tier)
            }
        }
    }

    @Test func theEnvironmentChoosesTierAndThreads() throws {
        let chosen = try CPUBackend.choice(in: [
            "FOVEA_KERNEL_TIER": "scalar", "FOVEA_THREADS": "3",
        ])
        #expect(chosen.tier == .scalar)
        #expect(chosen.threads == 3)
        let best = try CPUBackend.choice(in: [:])
        #expect(best.tier == CPUBackend.Tier.available.last)
        #expect(best.threads >= 1)
    }

    @Test(arguments: [
        (["FOVEA_KERNEL_TIER": "sse9"], CPUBackendError.tierUnknown("sse9")),
        (["FOVEA_THREADS": "0"], .threadsInvalid("0")),
        (["FOVEA_THREADS": "-1"], .threadsInvalid("-1")),
        (["FOVEA_THREADS": "many"], .threadsInvalid("many")),
        (["FOVEA_THREADS": "99999"], .threadsInvalid("99999")),
    ])
    func aWrongChoiceSaysWhatIsAllowed(environment: [String: String], error: CPUBackendError) {
        #expect(throws: error) { try CPUBackend.choice(in: environment) }
        #expect(!error.message.isEmpty)
    }

    @Test func memoryGivenBackIsUsedAgain() throws {
        let backend = try CPUBackend(threads: 1)
        for _ in 0..<1_000 {
            _ = Tensor.filled(1, [1000], on: backend) + Tensor.filled(2, [1000], on: backend)
        }
        #expect(backend.memoryUse.live == 0)
        #expect(backend.memoryUse.liveMax <= 4 * 4096)
        #expect(backend.memoryUse.kept <= 4 * 4096)
    }

    @Test func whatIsKeptForReuseIsBounded() throws {
        let backend = try CPUBackend(threads: 1)
        for size in stride(from: 1 << 20, to: 64 << 20, by: 1 << 20) {
            _ = backend.allocate(byteCount: size)
        }
        #expect(backend.memoryUse.live == 0)
        #expect(backend.memoryUse.kept <= 64 << 20)
    }

    @Test func halfPrecisionRoundsToNearestEven() throws {
        let values: [Float] = [1, 1.00390625, 1.01171875, -0.0, 65504, 1e-8, .infinity, 3.4e38]
        for tier in CPUBackend.Tier.available {
            let x = Tensor(values, [values.count], on: try CPUBackend(tier: tier, threads: 1))
            let half = x.converted(to: .bfloat16).floats()
            #expect(half[..<5] == [1, 1, 1.015625, 0, 65536])
            #expect(half[6...] == [.infinity, .infinity])
            #expect(abs(half[5] - 1e-8) < 1e-10)
            let f16 = x.converted(to: .float16).floats()
            #expect(f16[..<6] == [1, 1.00390625, 1.01171875, 0, 65504, 0])
            #expect(Tensor([.nan], [1], on: x.backend).converted(to: .bfloat16).floats()[0].isNaN)
        }
    }
}
