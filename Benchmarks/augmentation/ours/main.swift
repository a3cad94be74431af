import Base
import Foundation
import Images
import Quality

// Reads a task a line, {"file", "change" ("all", or the name of one), "side", "budget"}, and
// answers with the seconds that one picture takes: the best of several runs. "all" goes from the
// bytes of a file to a changed picture of the side; one change is made to a picture of that side.

struct BenchTask: Decodable {
    let file: String
    let change: String
    /// Share of width and height that the crop keeps, so that what is left is a square.
    let crop: [Double]
    let side: Int
    let budget: Double

    func seconds() throws -> Double {
        let bytes = Bytes([UInt8](try Data(contentsOf: URL(filePath: file))))
        guard change != "all" else {
            let changes = [rotation, brightness, cut, noise]
            return try best { try Variant(of: bytes, changes, sideMax: side).image.pixels.count }
        }
        let picture = try DecodedImage(decoding: bytes).image.resized(width: side, height: side)
        let transform = try one()
        return try best { try transform.applied(to: picture).pixels.count }
    }

    private var rotation: AppliedTransform { .rotate(degrees: 7.3, fillRGB: 0) }
    private var brightness: AppliedTransform { .brightness(factor: 1.15) }
    private var noise: AppliedTransform { .sensorNoise(readLevels: 6, shotLevels: 0, seed: 1) }
    private var cut: AppliedTransform {
        .crop(x: 0.1, y: 0.05, width: crop[0], height: crop[1])
    }

    private func one() throws -> AppliedTransform {
        switch change {
        case "rotate": rotation
        case "flip": .flip(horizontal: true, vertical: false)
        case "brightness": brightness
        case "contrast": .contrast(factor: 0.85)
        case "color": .color(saturation: 0.8, hueDegrees: 0)
        case "resolution": .resolution(scale: 0.5)
        case "blur": .blur(sigmaPixels: 1.5)
        case "sensor noise": noise
        case "jpeg": .jpeg(quality: 60)
        case "perspective": .perspective(corners: [0.03, 0.02, 0, 0.01, 0.02, 0.03, 0.01, 0])
        default: throw UnknownChange(name: change)
        }
    }

    private func best(_ body: () throws -> Int) throws -> Double {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(budget)
        var best = Double.infinity
        repeat {
            let spent = try clock.measure { _ = try body() }
            best = min(best, spent / .seconds(1))
        } while clock.now < end
        return best
    }
}

struct UnknownChange: Error {
    let name: String
}

while let line = readLine() {
    let task = try JSONDecoder().decode(BenchTask.self, from: Data(line.utf8))
    print(#"{"seconds": \#(try task.seconds())}"#)
    fflush(nil)
}
