import Base
import TestSupport
import Testing

@testable import RPC

@Suite struct FramingTests {
    private func frame(_ payload: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        [flag] + withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0) } + payload
    }

    /// All messages in `bytes`, fed in pieces of `step`.
    private func messages(
        in bytes: [UInt8], step: Int, bytesMax: Int = 1 << 20, budget: BufferBudget
    ) throws -> [Bytes] {
        var assembler = MessageAssembler(bytesMax: bytesMax, budget: budget)
        var found: [Bytes] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            try bytes[start..<min(bytes.count, start + step)].withUnsafeBytes { piece in
                var input = piece
                while let message = try assembler.take(&input) { found.append(message.bytes) }
            }
        }
        let isPartial = assembler.isPartial
        #expect(!isPartial)
        return found
    }

    @Test(arguments: [1, 2, 3, 5, 7, 64, 100_000])
    func messagesAreTheSameHoweverTheyArrive(step: Int) throws {
        let payloads: [[UInt8]] = [
            [], [1], Array(repeating: 2, count: 300), [], Array(repeating: 3, count: 70_000),
        ]
        let budget = BufferBudget(bytesMax: 1 << 20)
        let found = try messages(
            in: payloads.flatMap { frame($0) }, step: step, budget: budget)
        #expect(found.map { Array($0) } == payloads)
        // The reader has not released them yet, and nothing else is held.
        #expect(budget.usedBytes == 70_301)
    }

    @Test func anAnnouncedMessageTakesNoMemoryUntilItComes() throws {
        let budget = BufferBudget(bytesMax: 1 << 20)
        var assembler = MessageAssembler(bytesMax: 64 << 20, budget: budget)
        let prefix: [UInt8] = [0, 3, 0, 0, 0, 9]
        try prefix.withUnsafeBytes { bytes in
            var input = bytes
            let message = try assembler.take(&input)
            #expect(message == nil)
        }
        #expect(budget.usedBytes <= 64 << 10)
        let isPartial = assembler.isPartial
        #expect(isPartial)
    }

    @Test func tooLargeIsToldFromTheLengthAlone() {
        #expect(throws: FramingError.tooLarge(bytes: 1001, bytesMax: 1000)) {
            try messages(
                in: [0, 0, 0, 3, 233], step: 5, bytesMax: 1000, budget: BufferBudget(bytesMax: 1))
        }
    }

    @Test func aFlagOtherThanZeroOrOneIsRefused() {
        #expect(throws: FramingError.badFlag(2)) {
            try messages(in: frame([1], flag: 2), step: 9, budget: BufferBudget(bytesMax: 100))
        }
    }

    @Test func aFullBudgetIsAnErrorWithBothNumbers() {
        #expect(throws: FramingError.overBudget(bytes: 200, bytesMax: 100)) {
            try messages(
                in: frame(Array(repeating: 0, count: 200)), step: 999,
                budget: BufferBudget(bytesMax: 100))
        }
    }

    @Test func aBrokenAssemblyGivesItsBudgetBack() throws {
        let budget = BufferBudget(bytesMax: 1 << 20)
        do {
            var assembler = MessageAssembler(bytesMax: 1 << 20, budget: budget)
            let half = frame(Array(repeating: 0, count: 500)).prefix(100)
            try half.withUnsafeBytes { bytes in
                var input = bytes
                let message = try assembler.take(&input)
                #expect(message == nil)
            }
            #expect(budget.usedBytes > 0)
        }
        #expect(budget.usedBytes == 0)
    }

    @Test(arguments: UInt64(0)..<50)
    func aQueueKeepsOrderUnderAnyUse(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = Queue<Int>()
        var model: [Int] = []
        for index in 0..<500 {
            if random.chance(3, in: 5) {
                queue.append(index)
                model.append(index)
            } else {
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count)
            #expect(queue.first == model.first)
        }
    }
}
