import Base
import Foundation
import Images

// Reads a task a line, {"file", "side" (0: decode only), "backend", "budget"}, and answers with the
// seconds that one picture takes: the best of several runs.

struct BenchTask: Decodable {
    let file: String
    let side: Int
    let backend: String
    let budget: Double

    func run(_ bytes: Bytes) throws -> Int {
        let image = try DecodedImage(decoding: bytes).image
        guard side > 0 else { return image.pixels.count }
        let backend: ResampleBackend = backend == "pillow" ? .pillow : .torchvision
        return try image.resized(width: side, height: side, backend: backend).pixels.count
    }

    func seconds() throws -> Double {
        let bytes = Bytes([UInt8](try Data(contentsOf: URL(filePath: file))))
        let clock = ContinuousClock()
        let end = clock.now + .seconds(budget)
        var best = Double.infinity
        repeat {
            let spent = try clock.measure { _ = try run(bytes) }
            best = min(best, spent / .seconds(1))
        } while clock.now < end
        return best
    }
}

while let line = readLine() {
    let task = try JSONDecoder().decode(BenchTask.self, from: Data(line.utf8))
    print(#"{"seconds": \#(try task.seconds())}"#)
    fflush(nil)
}
