import Base
import Messages
import TestSupport
import Testing

/// What survives decoding must survive a second round unchanged; nothing may trap.
struct FuzzTests {
    @Test(arguments: UInt64(0)..<20)
    func mutatedMessagesNeverTrap(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let records = try Goldens.everything().filter { $0.count < 4000 } + [Goldens.known()]
        for _ in 0..<250 {
            var bytes = Array(records.randomElement(using: &random) ?? Bytes())
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                mutate(&bytes, with: records, &random)
            }
            try check(Bytes(bytes), seed)
        }
    }

    @Test(arguments: UInt64(0)..<10)
    func randomBytesNeverTrap(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let count = Int.random(in: 0...200, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            try check(Bytes(bytes), seed)
        }
    }

    @Test func everyFlippedBitOfAMessageIsHarmless() throws {
        let whole = try Array(Goldens.known())
        for bit in 0..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << (bit % 8)
            try check(Bytes(bytes), UInt64(bit))
        }
    }

    private func check(_ bytes: Bytes, _ seed: UInt64) throws {
        _ = try? GoogleRPC.Status(decoding: bytes)
        _ = try? StatusDetails.decode(bytes)
        _ = Descriptors(descriptorSet: bytes)
        guard let message = try? Everything(decoding: bytes) else { return }
        // Bytes are compared, because a NaN differs from itself.
        let once = try message.encoded()
        #expect(try Everything(decoding: once).encoded() == once, "seed \(seed)")
    }

    private func mutate(
        _ bytes: inout [UInt8], with records: [Bytes], _ random: inout SeededRandom
    ) {
        guard !bytes.isEmpty else { return }
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(position...)
        case 3: bytes.remove(at: position)
        case 4: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
        case 5: bytes += Array(records.randomElement(using: &random) ?? Bytes())
        default:
            let end = min(bytes.count, position + Int.random(in: 0..<32, using: &random))
            bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
        }
    }
}
