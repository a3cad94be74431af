import Base
import Foundation
import Images
import Quality
import Testing

@Suite struct VariantTests {
    /// Smooth enough that sampling once or twice makes little difference.
    private static func waves(_ width: Int, _ height: Int) throws -> RGBImage {
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                for channel in 0..<3 {
                    let phase = Double(x) / (9 + Double(channel)) + Double(y) / 13
                    pixels.append(UInt8(128 + 100 * sin(phase)))
                }
            }
        }
        return try #require(RGBImage(width: width, height: height, pixels: pixels))
    }

    /// Mean difference of the pixels that lie so far from the edge.
    private static func difference(_ a: RGBImage, _ b: RGBImage, margin: Int) -> Double {
        var (sum, count) = (0, 0)
        for y in margin..<(a.height - margin) {
            for place in (y * a.width + margin) * 3..<(y * a.width + a.width - margin) * 3 {
                sum += abs(Int(a.pixels[place]) - Int(b.pixels[place]))
                count += 1
            }
        }
        return Double(sum) / Double(max(1, count))
    }

    private let turnedAndCut: [AppliedTransform] = [
        .rotate(degrees: 11, fillRGB: nil), .flip(horizontal: true, vertical: false),
        .crop(x: 0.25, y: 0.125, width: 0.5, height: 0.75),
        .perspective(corners: [0.02, 0.01, 0, 0.03, 0.01, 0, 0.02, 0.02]),
    ]

    @Test func oneProjectionShowsWhatOneChangeAfterAnotherShows() throws {
        let picture = try Self.waves(96, 64)
        let variant = try Variant(of: picture.png(), turnedAndCut)
        var steps = picture
        for change in turnedAndCut { steps = try change.applied(to: steps) }
        #expect((variant.image.width, variant.image.height) == (steps.width, steps.height))
        #expect(Self.difference(variant.image, steps, margin: 4) < 2)
        // Something was changed at all.
        let plain = picture.cropped(x: 24, y: 8, width: 48, height: 48)
        #expect(Self.difference(plain, steps, margin: 4) > 10)
    }

    @Test(arguments: [24, 40])
    func aSmallVariantShowsTheSameAsALargeOneMadeSmall(side: Int) throws {
        let picture = try Self.waves(320, 240)
        for bytes in [try picture.png(), try picture.jpeg(quality: 95)] {
            let small = try Variant(of: bytes, turnedAndCut, sideMax: side).image
            #expect(max(small.width, small.height) == side)
            let large = try Variant(of: bytes, turnedAndCut).image
            let shrunk = try large.resized(width: small.width, height: small.height)
            #expect(Self.difference(small, shrunk, margin: 2) < 6)
        }
    }

    @Test func nothingIsEnlargedAndNoChangeIsNone() throws {
        let picture = try Self.waves(40, 30)
        let variant = try Variant(of: picture.png(), [], sideMax: 500)
        #expect(variant.image == picture)
        #expect(variant.map == PictureMap(width: 40, height: 30))
        let cut = try Variant(
            of: picture.png(), [.crop(x: 0, y: 0, width: 0.5, height: 1)], sideMax: 500)
        #expect(cut.image == picture.cropped(x: 0, y: 0, width: 20, height: 30))
    }

    @Test func boxesFollowTurnsMirrorsAndCrops() throws {
        let picture = try Self.waves(40, 20).png()
        let box = PictureBox(left: 4, top: 2, right: 10, bottom: 8)
        func moved(_ change: AppliedTransform) throws -> PictureBox? {
            try Variant(of: picture, [change]).map.moved(box)
        }
        func isNear(_ found: PictureBox?, _ wanted: [Double]) -> Bool {
            guard let found else { return false }
            let sides = [found.left, found.top, found.right, found.bottom]
            return zip(sides, wanted).allSatisfy { abs($0 - $1) < 1e-9 }
        }
        let mirror = AppliedTransform.flip(horizontal: true, vertical: false)
        #expect(isNear(try moved(mirror), [30, 2, 36, 8]))
        // Counter-clockwise: the right edge comes to the top.
        #expect(isNear(try moved(.rotate(degrees: 90, fillRGB: nil)), [2, 30, 8, 36]))
        #expect(isNear(try moved(.rotate(degrees: 180, fillRGB: nil)), [30, 12, 36, 18]))
        let half = AppliedTransform.crop(x: 0.175, y: 0, width: 0.5, height: 1)
        #expect(isNear(try moved(half), [0, 2, 3, 8]))
        // Less than a tenth is left of it, or nothing.
        #expect(try moved(.crop(x: 0.24, y: 0, width: 0.5, height: 1)) == nil)
        #expect(try moved(.crop(x: 0.5, y: 0, width: 0.5, height: 1)) == nil)
        let turned = try #require(try moved(.rotate(degrees: 30, fillRGB: nil)))
        #expect(turned.right - turned.left > 6 && turned.bottom - turned.top > 6)
    }

    @Test func theColourOfCornersIsThatOfTheTurn() throws {
        let picture = RGBImage(width: 64, height: 64, filledWith: 200)
        let variant = try Variant(
            of: picture.png(), [.rotate(degrees: 45, fillRGB: 0x0A_14_1E)], sideMax: 32)
        #expect(variant.image.pixels.prefix(3) == [10, 20, 30])
        let middle = (16 * 32 + 16) * 3
        #expect(Array(variant.image.pixels[middle..<middle + 3]) == [200, 200, 200])
    }
}
