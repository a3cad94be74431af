import Numerics
import Testing

@Suite struct AutogradTests {
    let backend: CPUBackend

    init() throws { backend = try CPUBackend(threads: 2) }

    private func numbers(_ values: Float...) -> Tensor {
        Tensor(values, [values.count], on: backend)
    }

    @Test func nothingIsRecordedWhereNoGradientIsNeeded() {
        let y = numbers(1, 2) * numbers(3, 4) + numbers(5, 6)
        #expect(!y.isTracked)
        #expect(y.floats() == [8, 14])
    }

    @Test func aTensorUsedTwiceGetsTheSumOfItsGradients() {
        let x = numbers(2, 3).tracked()
        #expect((x * x + x).sum().gradients()[x]?.floats() == [5, 7])
    }

    @Test func onlyTrackedTensorsGetGradients() {
        let (x, frozen) = (numbers(2).tracked(), numbers(5))
        let gradients = (x * frozen).sum().gradients()
        #expect(gradients[x]?.floats() == [5])
        #expect(gradients[frozen] == nil)
    }

    @Test func aDetachedTensorStopsTheWalk() {
        let x = numbers(3).tracked()
        #expect((x * x.detached()).sum().gradients()[x]?.floats() == [3])
    }

    @Test func aCheckpointedBlockHasTheGradientsOfTheBlock() {
        let (x, weight) = (numbers(1, 2, 3).tracked(), numbers(4, 5, 6).tracked())
        let block: @Sendable ([Tensor]) -> Tensor = { inputs in
            (inputs[0] * weight).rmsNorm(weight: weight, epsilon: 1e-6) + inputs[0]
        }
        let before = x * 2
        let plain = (block([before]) * 3).sum().gradients()
        let saved = (checkpointed([x * 2], block) * 3).sum().gradients()
        #expect(plain[x]?.floats() == saved[x]?.floats())
        #expect(plain[weight]?.floats() == saved[weight]?.floats())
    }

    @Test func aCheckpointedBlockMayReferToEarlierResults() {
        let x = numbers(1, 2).tracked()
        let square = x * x
        let y = checkpointed([x]) { [square] inputs in inputs[0] * square }
        #expect(y.sum().gradients()[x]?.floats() == [3, 12])
    }

    @Test func aCheckpointedChainHoldsOneBlockAtATime() throws {
        let quiet = try CPUBackend(threads: 1)
        let size = 1 << 16
        let weight = Tensor.filled(1, [256], on: quiet).tracked()
        func chain(_ wrap: (Tensor, @escaping @Sendable ([Tensor]) -> Tensor) -> Tensor) -> Int {
            var x = Tensor.filled(1, [size / 256, 256], on: quiet)
            quiet.resetMemoryMax()
            for _ in 0..<8 {
                x = wrap(x) { inputs in
                    (0..<8).reduce(inputs[0]) { y, _ in y.rmsNorm(weight: weight, epsilon: 1e-6) }
                }
            }
            _ = x.sum().gradients()
            return quiet.memoryUse.liveMax / (size * 4)
        }
        let plain = chain { x, block in block([x]) }
        let saved = chain { x, block in checkpointed([x], block) }
        #expect(plain >= 64)
        #expect(saved < 24)
    }
}
