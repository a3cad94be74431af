import Numerics
import Testing

@Suite struct GradientNormTests {
    private func gradients(on backend: any Backend, _ values: [Float]...) -> NamedTensors {
        NamedTensors(
            values.enumerated().map { place, values in
                ("\(place)", Tensor(values, [values.count], on: backend))
            })
    }

    @Test(arguments: CPUBackend.Tier.available)
    func theNormIsThatOfAllGradientsAfterScaling(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        let norm = GradientNorm(gradients(on: backend, [3], [4, 0], [12]), scale: 0.5)
        #expect(norm.read().norm == 6.5)
        #expect(norm.read().notFinite.isEmpty)
        #expect(norm.factor.floats() == [0.5])
    }

    @Test(arguments: CPUBackend.Tier.available)
    func aNormAboveTheMaximumIsScaledDownToIt(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        let pair = gradients(on: backend, [3], [4])
        let factor = GradientNorm(pair, scale: 2, normMax: 2.5).factor.floats()
        #expect(abs(factor[0] - 2 * 2.5 / (10 + 1e-6)) <= 1e-7)
        #expect(GradientNorm(pair, scale: 2, normMax: 11).factor.floats() == [2])
    }

    @Test func largeTensorsAreSummedInBlocks() throws {
        let backend = try CPUBackend(threads: 2)
        let count = 4096 * 4097 + 5
        let large = NamedTensors([
            ("large", .filled(0.5, [count], .bfloat16, on: backend)),
            ("small", .filled(2, [1], .float16, on: backend)),
        ])
        let expected = (Double(count) / 4 + 4).squareRoot()
        #expect(abs(Double(GradientNorm(large).read().norm) - expected) <= 1e-6 * expected)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30])
    func aGradientThatSpoilsTheNormIsNamed(value: Float) throws {
        let backend = CheckingBackend(try CPUBackend(threads: 1))
        let spoilt = gradients(on: backend, [1, 2], [0, value, 1], [3])
        let read = GradientNorm(spoilt, normMax: 1).read()
        #expect(!read.norm.isFinite)
        #expect(read.notFinite == ["1"])
    }

    @Test func aRefusedStepLeavesTheOldValues() throws {
        let backend = try CPUBackend(threads: 1)
        let old = NamedTensors([("0", Tensor([1], [1], on: backend))])
        let state = AdamW().start(old)
        let gradients = gradients(on: backend, [.nan])
        let norm = GradientNorm(gradients)
        var (parameters, next) = (old, state)
        AdamW().update(
            &parameters, with: gradients, state: &next, learningRate: 1, factor: norm.factor)
        #expect(norm.read().notFinite == ["0"])
        #expect(parameters["0"]?.floats()[0].isNaN == true)
        #expect(old["0"]?.floats() == [1])
        #expect(AdamW().saved(state).tensors["0.mean"]?.floats() == [0])
    }
}

@Suite struct GradientSumTests {
    @Test func microBatchesAddUpByName() throws {
        let backend = try CPUBackend(threads: 1)
        var sum = GradientSum()
        sum.add(NamedTensors([("a", Tensor([1, 2], [2], on: backend))]))
        sum.add(
            NamedTensors([
                ("b", Tensor([5], [1], on: backend)), ("a", Tensor([10, 20], [2], on: backend)),
            ]))
        #expect(sum.gradients.names == ["a", "b"])
        #expect(sum.scaled(by: 0.5)["a"]?.floats() == [5.5, 11])
        #expect(sum.scaled(by: 0.5)["b"]?.floats() == [2.5])
    }

    @Test func halfPrecisionGradientsAddUpInFloat32() throws {
        let backend = CheckingBackend(try CPUBackend(threads: 1))
        var sum = GradientSum()
        let gradient = NamedTensors([("a", .filled(1, [3], .bfloat16, on: backend))])
        for _ in 0..<300 { sum.add(gradient) }
        #expect(sum.gradients["a"]?.type == .float32)
        #expect(sum.gradients["a"]?.floats() == [300, 300, 300])
    }

    @Test func twoHalvesOfABatchHaveTheGradientOfTheWhole() throws {
        let backend = try CPUBackend(threads: 1)
        let parameters = NamedTensors([("w", Tensor([1, -2], [2], on: backend))]).tracked()
        func loss(_ rows: [Float]) throws -> Tensor {
            let w = try #require(parameters["w"])
            return (Tensor(rows, [rows.count / 2, 2], on: backend) * w * w).sum()
        }
        var sum = GradientSum()
        sum.add(try loss([1, 2]).gradients(), of: parameters)
        sum.add(try loss([3, 4, 5, 6]).gradients(), of: parameters)
        let whole = try loss([1, 2, 3, 4, 5, 6]).gradients().named(by: parameters)
        #expect(sum.gradients["w"]?.floats() == whole["w"]?.floats())
    }
}
