import Base
import Numerics
import Testing

@Suite struct LossTests {
    let backend: CPUBackend
    let labels: Labels
    let logits: Tensor

    init() throws {
        backend = try CPUBackend(threads: 2)
        labels = Labels([3, -100, 0, 40, -100, 7, 7], vocabulary: 41, on: backend)
        logits = Tensor.normal([7, 41], RandomKey(seed: 5), on: backend) * 4
    }

    @Test func blocksGiveTheBitsOfTheWhole() {
        let scale = Tensor([0.25], [], on: backend)
        let (losses, logSums) = logits.crossEntropyBlock(labels)
        let whole = logits.crossEntropyGradient(labels, logSums: logSums, scale: scale).floats()
        for rows in [0..<3, 3..<4, 4..<7] {
            let block = logits.rows(rows)
            let (some, someSums) = block.crossEntropyBlock(labels[rows])
            #expect(some.floats() == Array(losses.floats()[rows]))
            let gradient = block.crossEntropyGradient(
                labels[rows], logSums: someSums, scale: scale)
            #expect(gradient.floats() == Array(whole[rows.lowerBound * 41..<rows.upperBound * 41]))
        }
    }

    @Test func rowsWithoutALabelCountForNothing() {
        let tracked = logits.tracked()
        let loss = tracked.crossEntropy(labels)
        let gradient = loss.gradients()[tracked]?.floats() ?? []
        #expect(labels.countedRows == 5)
        #expect(gradient[41..<82].allSatisfy { $0 == 0 })
        #expect(gradient[..<41].contains { $0 != 0 })
    }

    @Test func aScaleForEachRowIsThatOfOneNumber() {
        let (_, logSums) = logits.crossEntropyBlock(labels)
        let one = Tensor([0.5], [1], on: backend)
        let each = Tensor.filled(0.5, [7], on: backend)
        let both = [one, each].map {
            logits.crossEntropyGradient(labels, logSums: logSums, scale: $0).floats()
        }
        #expect(both[0] == both[1])
    }

    @Test func aLossSurvivesLargeLogits() {
        let large = Tensor([1e30, -1e30, 90, 89], [2, 2], on: backend)
        let losses = large.crossEntropies(Labels([0, 1], vocabulary: 2, on: backend)).floats()
        #expect(losses[0] == 0)
        #expect(abs(losses[1] - 1.3132617) < 1e-5)
    }

    @Test func aProjectionToALargeVocabularyHoldsOneBlockOfLogits() throws {
        let quiet = try CPUBackend(threads: 1)
        let (rows, width, vocabulary) = (2048, 16, 2000)
        let key = RandomKey(seed: 3)
        let weight = FrozenWeight(Tensor.normal([vocabulary, width], key, on: quiet))
        let ids = (0..<rows).map { $0 % 4 == 0 ? Labels.ignored : Int32($0 % vocabulary) }
        let labels = Labels(ids, vocabulary: vocabulary, on: quiet)
        let x = Tensor.normal([rows, width], key.child(1), on: quiet)
        func gradient(_ loss: (Tensor) -> Tensor) -> (floats: [Float], bytes: Int) {
            let leaf = x.tracked()
            quiet.resetMemoryMax()
            let found = loss(leaf).gradients()[leaf]
            return (found?.floats() ?? [], quiet.memoryUse.liveMax)
        }
        let whole = gradient { $0.linear(.frozen(weight)).crossEntropy(labels) }
        let blocks = gradient { $0.projectedCrossEntropy(.frozen(weight), labels: labels) }
        #expect(whole.bytes > 2 * rows * vocabulary * 4)
        #expect(blocks.bytes < rows * vocabulary * 4 / 2)
        let worst = zip(whole.floats, blocks.floats).map { abs($0 - $1) }.max() ?? .infinity
        #expect(worst < 1e-6)
    }

    @Test func rowsWithoutAnyLabelHaveNoLoss() throws {
        let none = Labels([Int32](repeating: Labels.ignored, count: 7), vocabulary: 41, on: backend)
        let weight = LinearWeight.plain(.filled(1, [41, 41], on: backend))
        #expect(logits.projectedCrossEntropy(weight, labels: none).floats() == [0])
    }
}

@Suite struct NormTests {
    @Test func theLargestSizeIsNaNWhereAnElementIs() throws {
        for tier in CPUBackend.Tier.available {
            let backend = try CPUBackend(tier: tier, threads: 1)
            var values = (0..<5001).map { Float($0 % 100) - 99 }
            #expect(Tensor(values, [5001], on: backend).maxAbs().floats() == [99])
            values[4999] = -.infinity
            #expect(Tensor(values, [5001], on: backend).maxAbs().floats() == [.infinity])
            values[17] = .nan
            #expect(Tensor(values, [5001], on: backend).maxAbs().floats()[0].isNaN)
        }
    }

    @Test func anIndexPastTheTableIsOurMistake() async {
        await #expect(processExitsWith: .failure) {
            let table = Tensor([1, 2, 3], [3, 1], on: try CPUBackend(threads: 1))
            _ = table.embedding([0, 3])
        }
    }
}
