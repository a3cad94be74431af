import Base
import CImages
import TestSupport
import Testing

@testable import Images

/// Cutting, padding, turning, encoding: whole pixels that move.
struct PictureTests {
    /// Pixels that say where they come from.
    private func numbered(_ width: Int, _ height: Int) -> RGBImage {
        RGBImage(width, height) { target in
            for index in target.indices { target[index] = UInt8(truncatingIfNeeded: index) }
        }
    }

    private func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [UInt8] {
        Array(image.pixels[(y * image.width + x) * 3..<(y * image.width + x) * 3 + 3])
    }

    @Test func aPictureNeedsItsBytes() {
        #expect(RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 0, count: 11)) == nil)
        #expect(RGBImage(width: 0, height: 2, pixels: []) == nil)
        #expect(RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 0, count: 12)) != nil)
    }

    @Test func cropAndPadUndoEachOther() {
        let image = numbered(7, 5)
        let padded = image.padded(width: 12, height: 9, x: 3, y: 2, value: 77)
        #expect(pixel(padded, 0, 0) == [77, 77, 77])
        #expect(pixel(padded, 11, 8) == [77, 77, 77])
        #expect(padded.cropped(x: 3, y: 2, width: 7, height: 5) == image)
        #expect(pixel(image.cropped(x: 4, y: 3, width: 2, height: 2), 1, 1) == pixel(image, 5, 4))
    }

    @Test(arguments: [(7, 5), (1, 4), (4, 1), (1, 1)])
    func turnsComposeAsTheyShould(width: Int, height: Int) {
        let image = numbered(width, height)
        #expect(image.turned(quarters: 1).turned(quarters: 3) == image)
        #expect(image.turned(quarters: 1).turned(quarters: 1) == image.turned(quarters: 2))
        #expect(image.mirrored().mirrored() == image)
        #expect(image.mirrored().flipped() == image.turned(quarters: 2))
        #expect(image.turned(quarters: -1) == image.turned(quarters: 3))
        for orientation in Orientation.allCases {
            let turned = image.upright(from: orientation)
            #expect((turned.width == height && turned.height == width) || !orientation.swapsSides)
        }
        // Clockwise: what was at the top left is at the top right.
        #expect(pixel(image.turned(quarters: 1), height - 1, 0) == pixel(image, 0, 0))
    }

    @Test func aPNGComesBackAsItWas() throws {
        for (width, height) in [(1, 1), (33, 17), (200, 3)] {
            let image = RawFile.noise(width: width, height: height)
            for level in [0, 6, 9] {
                let decoded = try DecodedImage(decoding: try image.png(level: level))
                #expect(decoded.image == image && !decoded.isDamaged)
                #expect(decoded.header.format == .png)
            }
        }
    }

    @Test(arguments: [(400, 300, 8), (150, 301, 4), (39, 60, 1), (41, 37, 1)])
    func aPreviewIsTheMeanOfWhatItStandsFor(width: Int, height: Int, shrink: Int) throws {
        let values = (0..<width * height).flatMap { place in
            let level = UInt8((place % width * 3 + place / width * 2) / 8 % 200)
            return [level, level, level]
        }
        let image = try #require(RGBImage(width: width, height: height, pixels: values))
        let bytes = try image.jpeg(quality: 95)
        let header = try ImageHeader(reading: bytes)
        let preview = try #require(try JPEGPreview(decoding: bytes, header, sideMin: 36))
        #expect(preview.width == (width + shrink - 1) / shrink)
        #expect(preview.height == (height + shrink - 1) / shrink)
        let whole = try DecodedImage(decoding: bytes).image
        for (x, y) in [(0, 0), (3, 2), (width / shrink - 1, height / shrink - 1)] {
            var sum = 0
            for row in y * shrink..<(y + 1) * shrink {
                for column in x * shrink..<(x + 1) * shrink {
                    sum += Int(whole.pixels[(row * width + column) * 3])
                }
            }
            let mean = Double(sum) / Double(shrink * shrink)
            #expect(abs(Double(preview.pixels[y * preview.width + x]) - mean) < 2)
        }
    }

    @Test func aJPEGComesBackNearlyAsItWas() throws {
        let smooth = RGBImage(64, 48) { target in
            for index in target.indices { target[index] = UInt8((index / 3 % 64) * 2 + 60) }
        }
        for quality in [60, 90, 100] {
            let decoded = try DecodedImage(decoding: try smooth.jpeg(quality: quality))
            let worst = zip(decoded.image.pixels, smooth.pixels).map { abs(Int($0) - Int($1)) }
            #expect(worst.max() ?? 0 <= 14, "quality \(quality)")
            #expect(decoded.header.format == .jpeg)
        }
        let small = try smooth.jpeg(quality: 10)
        #expect(small.count < (try smooth.jpeg(quality: 95)).count)
    }

    /// Where a picture was taken, by whom and which way up: nothing of it leaves with the pixels.
    @Test func encodingLeavesMetadataBehind() throws {
        let image = numbered(33, 17)
        let png = Array(try image.png())
        var (place, chunks) = (8, [String]())
        while place + 8 <= png.count {
            let count = png[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
            chunks.append(String(decoding: png[place + 4..<place + 8], as: UTF8.self))
            place += count + 12
        }
        #expect(Set(chunks) == ["IHDR", "IDAT", "IEND"])
        let jpeg = Array(try image.jpeg())
        // Application segments 1 to 15 and comments; segment 0 only says how pixels are spaced.
        var segment = 2
        while jpeg[segment + 1] != 0xda {
            #expect(!(0xe1...0xef).contains(jpeg[segment + 1]) && jpeg[segment + 1] != 0xfe)
            segment += 2 + Int(jpeg[segment + 2]) << 8 + Int(jpeg[segment + 3])
        }
    }

    @Test func damagedDataThatCanBeBridgedIsMarked() throws {
        let jpeg = Array(try RawFile.noise(width: 64, height: 64).jpeg(quality: 95))
        let half = jpeg.prefix(jpeg.count / 2) + [0xff, 0xd9]
        #expect(try DecodedImage(decoding: Bytes(half)).isDamaged)
        #expect(try !DecodedImage(decoding: Bytes(jpeg)).isDamaged)
    }

    @Test func sizesThatMakeNoSenseAreRefused() {
        let image = numbered(7, 5)
        #expect(throws: ImageError.badSize(width: 0, height: 5)) {
            try image.resized(width: 0, height: 5)
        }
        #expect(throws: ImageError.badSize(width: 1 << 17, height: 1 << 17)) {
            try image.resized(width: 1 << 17, height: 1 << 17)
        }
        // One row, but a table of weights for each of its pixels.
        #expect(throws: ImageError.badSize(width: 1 << 27, height: 1)) {
            try image.resized(width: 1 << 27, height: 1)
        }
        // Neither picture is large; the one between the two passes would be.
        let pole = RGBImage(width: 1, height: 20_000, filledWith: 0)
        #expect(throws: ImageError.badSize(width: 1 << 14, height: 20_000)) {
            try pole.resized(width: 1 << 14, height: 336, backend: .torchvision)
        }
    }

    @Test func aResizeToItsOwnSizeChangesNothing() throws {
        let image = numbered(7, 5)
        for backend in ResampleBackend.allCases {
            for filter in ResampleFilter.allCases {
                #expect(try image.resized(width: 7, height: 5, filter, backend: backend) == image)
            }
        }
    }

    /// The sums are of whole numbers, so which instructions add them up cannot matter.
    @Test(arguments: [CI_BASE, CI_AVX2, CI_AVX512].map(\.rawValue))
    func tiersAgree(tier: ci_tier.RawValue) throws {
        for (width, height, newHeight) in [(1, 9, 4), (5, 40, 17), (16, 7, 30), (37, 64, 3)] {
            let image = RawFile.noise(width: width, height: height)
            let expected = try image.resized(width: width, height: newHeight, .lanczos)
            let table = ResampleTable(from: height, to: newHeight, .lanczos, .pillow)
            var isHere = true
            let resized = RGBImage(width, newHeight) { target in
                isHere = table.withAxis { axis in
                    ci_resample_rows_in(
                        ci_tier(rawValue: tier), target.baseAddress, image.pixels, width * 3, &axis)
                }
                if !isHere { target.update(repeating: 0) }
            }
            #expect(!isHere || resized == expected, "\(width) x \(height)")
        }
    }

    @Test func oneColourStaysOneColour() throws {
        let image = RGBImage(width: 31, height: 47, filledWith: 200)
        for backend in ResampleBackend.allCases {
            for filter in ResampleFilter.allCases {
                let resized = try image.resized(width: 50, height: 9, filter, backend: backend)
                #expect(resized.pixels.allSatisfy { $0 == 200 }, "\(filter) \(backend)")
            }
        }
    }
}
