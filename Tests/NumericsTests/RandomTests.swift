import Base
import CKernels
import Numerics
import Testing

@Suite struct RandomTests {
    let key = RandomKey(seed: 7).child(3).child("test")

    /// Known answers of philox4x32-10, from the distribution of Random123.
    @Test(
        arguments: [
            (
                key: 0, stream: 0, block: 0,
                words: [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]
            ),
            (
                key: .max, stream: .max, block: .max,
                words: [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
            ),
            (
                key: 0x299F_31D0_A409_3822, stream: 0x0370_7344_1319_8A2E,
                block: 0x85A3_08D3_243F_6A88,
                words: [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
            ),
        ] as [(key: UInt64, stream: UInt64, block: UInt64, words: [UInt32])])
    func aBlockIsThatOfRandom123(
        known: (key: UInt64, stream: UInt64, block: UInt64, words: [UInt32])
    ) {
        let words = [UInt32](unsafeUninitializedCapacity: 4) { words, count in
            ck_philox(known.key, known.stream, known.block, words.baseAddress)
            count = 4
        }
        #expect(words == known.words)
    }

    @Test func everyTierAndTheHostDrawTheSameBits() throws {
        let count = 1001
        let uniform = (0..<count).map(key.uniform)
        let normal = (0..<count).map(key.normal)
        for tier in CPUBackend.Tier.available {
            for threads in [1, 2] {
                let backend = try CPUBackend(tier: tier, threads: threads)
                #expect(Tensor.uniform([count], key, on: backend).floats() == uniform, "\(tier)")
                #expect(Tensor.normal([count], key, on: backend).floats() == normal, "\(tier)")
            }
        }
    }

    @Test func theNumbersAreAsSpreadAsTheyShouldBe() throws {
        let backend = try CPUBackend(threads: 2)
        let count = 1 << 20
        let uniform = Tensor.uniform([count], key, on: backend).floats()
        #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
        // Five deviations of the estimates.
        #expect(abs(moment(uniform, 1) - 0.5) < 5 * 0.2887 / 1024)
        #expect(abs(moment(uniform, 2) - 1 / 3) < 5 * 0.2981 / 1024)
        let normal = Tensor.normal([count], key, on: backend).floats()
        #expect(abs(moment(normal, 1)) < 5.0 / 1024)
        #expect(abs(moment(normal, 2) - 1) < 5 * 1.4142 / 1024)
        #expect(abs(moment(normal, 3)) < 5 * 3.873 / 1024)
        #expect(abs(moment(normal, 4) - 3) < 5 * 9.798 / 1024)
        let beyondTwo = normal.count { abs($0) > 2 }
        #expect(abs(Double(beyondTwo) / Double(count) - 0.0455) < 5 * 0.2084 / 1024)
        // Both numbers of a pair come from the same words and yet do not know each other.
        let pairs = stride(from: 0, to: count, by: 2).map { normal[$0] * normal[$0 + 1] }
        #expect(abs(moment(pairs, 1)) < 5.0 / 724)
    }

    private func moment(_ values: [Float], _ power: Int) -> Double {
        values.reduce(0.0) { sum, value in
            sum + (0..<power).reduce(1.0) { product, _ in product * Double(value) }
        } / Double(values.count)
    }

    @Test func keysOfDifferentUsesDiffer() {
        let seed = RandomKey(seed: 1)
        var keys: Set<RandomKey> = [seed, RandomKey(seed: 2)]
        for index in -500..<500 { keys.insert(seed.child(index)) }
        for index in 0..<1000 { keys.insert(seed.child("purpose \(index)")) }
        for index in 0..<1000 { keys.insert(seed.child(1).child(index)) }
        #expect(keys.count == 3002)
        #expect(seed.child(1).child(2) != seed.child(2).child(1))
        #expect(Set(keys.map { $0.word(at: 0) }).count > 3000)
        #expect(seed.child(5).child("a") == RandomKey(seed: 1).child(5).child("a"))
    }

    @Test func dropoutKeepsWhatItsWordsSay() throws {
        let values = (0..<1001).map { Float($0 % 37) - 18 }
        let p: Float = 0.25
        let mask = values.indices.map { index -> Float in
            key.word(at: index) >= 0x4000_0000 ? 1 / (1 - p) : 0
        }
        #expect(abs(mask.count { $0 == 0 } - 250) < 70)
        let expected = zip(values, mask).map(*)
        for tier in CPUBackend.Tier.available {
            let backend = try CPUBackend(tier: tier, threads: 2)
            for type in [DType.float32, .bfloat16, .float16] {
                let x = Tensor(values, [7, 143], on: backend).converted(to: type).tracked()
                let y = x.dropout(p, key)
                let rounded = Tensor(expected, [7, 143], on: backend).converted(to: type)
                #expect(y.floats() == rounded.floats(), "\(tier) \(type)")
                // With dy = x the gradient is x masked again.
                #expect(y.gradients(seed: x.detached())[x]?.floats() == rounded.floats())
            }
        }
    }

    @Test func dropoutOfNothingIsTheTensorItself() throws {
        let x = Tensor([1, 2], [2], on: try CPUBackend(threads: 1)).tracked()
        #expect(x.dropout(0, key).sum().gradients()[x]?.floats() == [1, 1])
    }
}
