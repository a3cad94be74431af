import CKernels
import Numerics

/// Our side of the numerics benchmark.
struct Bench {
    /// Weights of a task together, so that they come from memory and not from the cache.
    private static let coldBytes = 96 << 20

    let backend: any Backend

    /// - Returns: seconds of one call; nil where we have no such op
    func seconds(_ task: Task) throws -> Double? {
        let watch = Stopwatch(budget: task.budget)
        return switch task.op {
        case "launch": launch(watch)
        case "op": op(watch)
        case "linear": try linear(task, watch)
        case "attention": watch.median([try AttentionBench(task).call(on: backend)])
        case "decode": watch.median([try DecodeBench(task).call(on: backend)])
        default: nil
        }
    }

    /// What handing two units to two threads costs: kernels that do nothing.
    private func launch(_ watch: Stopwatch) -> Double? {
        guard let pool = ck_pool_create(2) else { return nil }
        defer { ck_pool_destroy(pool) }
        let launches = 1000
        var arguments = ck_args()
        return watch.median([
            {
                for _ in 0..<launches {
                    ck_pool_run(pool, { _, _, _ in }, &arguments, 2, 1)
                }
            }
        ]) / Double(launches)
    }

    /// An op on one number: all that Swift adds to a kernel.
    private func op(_ watch: Stopwatch) -> Double {
        let ops = 1000
        let x = Tensor.filled(1, [1], on: backend)
        return watch.median([{ for _ in 0..<ops { _ = x + x } }]) / Double(ops)
    }

    private func linear(_ task: Task, _ watch: Stopwatch) throws -> Double? {
        let (m, n, k) = (try task.value(\.m), try task.value(\.n), try task.value(\.k))
        let x = Tensor.random([m, k], try task.elementType(), seed: 1, on: backend)
        let w = Tensor.random([n, k], .float32, seed: 2, on: backend)
        guard let frozen = frozen(w, try task.value(\.format)) else { return nil }
        let copies = m <= 16 ? max(Bench.coldBytes / frozen.byteCount, 1) : 1
        let weights = (0..<copies).map { _ in
            self.frozen(w, task.format ?? "") ?? frozen
        }
        let ofBytes = task.format == "int8-dynamic"
        return watch.median(
            weights.map { weight in
                { _ = ofBytes ? x.linearOfBytes(weight) : x.linear(.frozen(weight)) }
            })
    }

    private func frozen(_ w: Tensor, _ format: String) -> FrozenWeight? {
        switch format {
        case "int8", "int8-dynamic": FrozenWeight(w, as: .int8)
        case "int4": FrozenWeight(w, as: .int4(group: 128, asymmetric: false))
        case "nf4": FrozenWeight(w, as: .nf4)
        default: DType(rawValue: format).map { FrozenWeight(w.converted(to: $0)) }
        }
    }
}
