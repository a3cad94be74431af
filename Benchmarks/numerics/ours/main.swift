import Foundation
import Numerics

// Answers one JSON task a line with the seconds that it takes (Benchmarks/numerics/run.py).
let bench = Bench(backend: try CPUBackend())
while let line = readLine() {
    let answer: String
    do {
        let task = try JSONDecoder().decode(Task.self, from: Data(line.utf8))
        answer = try bench.seconds(task).map { "{\"seconds\": \($0)}" } ?? "{\"seconds\": null}"
    } catch {
        answer = "{\"seconds\": null, \"error\": \"\(type(of: error))\"}"
    }
    print(answer)
    fflush(nil)
}
