import Foundation
import Images
import Testing

/// Changes of pictures equal Pillow's within one level.
@Suite struct AugmentationGoldenTests {
    private struct Golden: Decodable {
        struct Case: Decodable {
            let name: String
            let values: [Double]
            let pixels: Foundation.Data
        }

        let width: Int
        let height: Int
        let pixels: Foundation.Data
        let cases: [Case]

        static func read() throws -> Golden {
            let file = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "Goldens/augmentations/cases.json")
            return try JSONDecoder().decode(Golden.self, from: Foundation.Data(contentsOf: file))
        }

        func picture() throws -> RGBImage {
            let picture = RGBImage(width: width, height: height, pixels: Array(pixels))
            return try #require(picture)
        }
    }

    private static func changed(_ picture: RGBImage, _ golden: Golden.Case) throws -> RGBImage? {
        let values = golden.values
        switch golden.name {
        case "rotate": return picture.rotated(degrees: values[0], fillRGB: UInt32(values[1]))
        case "project":
            return picture.projected(
                Projection(values + [1]), width: picture.width, height: picture.height,
                fillRGB: 0x09_08_07)
        case "brightness": return picture.brightened(values[0])
        case "contrast": return picture.contrasted(values[0])
        case "saturation": return picture.saturated(values[0])
        case "blur": return try picture.blurred(sigmaPixels: values[0])
        case "coarsen": return try picture.coarsened(scale: values[0])
        default: return nil
        }
    }

    @Test func changesEqualThoseOfPillowWithinOneLevel() throws {
        let golden = try Golden.read()
        let picture = try golden.picture()
        #expect(golden.cases.count >= 30)
        for known in golden.cases {
            let found = try Self.changed(picture, known)
            let pixels = try #require(found).pixels
            let largest = zip(pixels, known.pixels).map { abs(Int($0) - Int($1)) }.max()
            #expect(
                largest.map { $0 <= 1 } == true, "\(known.name) \(known.values): \(largest ?? -1)")
        }
    }

    @Test func nothingIsChangedByNeutralValues() throws {
        let picture = try Golden.read().picture()
        #expect(picture.rotated(degrees: 0) == picture)
        #expect(picture.slanted(corners: Array(repeating: 0, count: 8)) == picture)
        #expect(picture.hueTurned(degrees: 360) == picture)
        #expect(picture.noisy(readLevels: 0, shotLevels: 0, seed: 1) == picture)
        #expect(try picture.coarsened(scale: 1) == picture)
    }

    @Test func aSlantShowsTheCornersItNames() throws {
        let picture = try Golden.read().picture()
        let corners = [0.2, 0.1, 0, 0, 0, 0, 0, 0]
        let slanted = picture.slanted(corners: corners)
        let (x, y) = (Int(0.2 * 33), Int(0.1 * 27))
        for channel in 0..<3 {
            let near = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map { column, row in
                Int(picture.pixels[(row * 33 + column) * 3 + channel])
            }
            let found = Int(slanted.pixels[channel])
            #expect(found >= (near.min() ?? 0) - 1 && found <= (near.max() ?? 255) + 1)
        }
        #expect(slanted.pixels.suffix(3) == picture.pixels.suffix(3))
    }

    @Test func noiseHasTheDeviationAskedForAndRepeats() {
        for (level, deviation) in [(UInt8(0), 0.0), (128, 100.0), (200, 100.0)] {
            let plain = RGBImage(width: 200, height: 200, filledWith: level)
            let noisy = plain.noisy(readLevels: 6, shotLevels: 8, seed: 3)
            #expect(noisy == plain.noisy(readLevels: 6, shotLevels: 8, seed: 3))
            #expect(noisy != plain.noisy(readLevels: 6, shotLevels: 8, seed: 4))
            guard deviation > 0 else { continue }
            let wanted = 36 + 64 * Double(level) / 255
            let count = Double(noisy.pixels.count)
            let differences = noisy.pixels.map { Double($0) - Double(level) }
            let mean = differences.reduce(0, +) / count
            let variance = differences.reduce(0) { $0 + $1 * $1 } / count - mean * mean
            #expect(abs(mean) < 0.15)
            #expect(abs(variance / wanted - 1) < 0.03)
        }
    }

    @Test func aTurnOfTheHueKeepsGreys() {
        let grey = RGBImage(width: 3, height: 2, filledWith: 77)
        #expect(grey.hueTurned(degrees: 100) == grey)
        let red = RGBImage(width: 1, height: 1, pixels: [255, 0, 0])
        #expect(red?.hueTurned(degrees: 120).pixels == [0, 255, 0])
    }

    @Test func theSmallestPictureCanBeChangedToo() throws {
        let dot = RGBImage(width: 1, height: 1, filledWith: 9)
        #expect(dot.rotated(degrees: 33).pixels == [9, 9, 9])
        #expect(dot.slanted(corners: Array(repeating: 0.4, count: 8)).pixels == [9, 9, 9])
        #expect(try dot.blurred(sigmaPixels: 10).pixels == [9, 9, 9])
        #expect(try dot.coarsened(scale: 0.1).pixels == [9, 9, 9])
    }
}
