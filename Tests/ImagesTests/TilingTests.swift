import Testing

@testable import Images

/// The families' geometry at real sizes, with token counts that their authors publish.
struct TilingTests {
    private func llava() throws -> LLaVANeXTTiling {
        let pinpoints = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)]
        return try LLaVANeXTTiling(
            tile: 336, patch: 14,
            pinpoints: pinpoints.map { ImageSize(height: $0.0, width: $0.1) })
    }

    @Test func aSquareLLaVAPictureHasTwoByTwoTiles() throws {
        let tiling = try llava()
        let size = ImageSize(side: 800)
        #expect(try tiling.plan(size).tileCount == 5)
        // 24 x 24, then 48 rows of 48 and a newline.
        #expect(try tiling.tokenCount(size) == 576 + 48 * 49)
    }

    @Test func aWideLLaVAPictureLosesItsPadding() throws {
        let size = ImageSize(height: 100, width: 1000)
        let plan = try llava().plan(size)
        #expect(plan.views[1].canvas == ImageSize(height: 336, width: 1008))
        #expect(plan.views[1].resized == ImageSize(height: 101, width: 1008))
        #expect(plan.views[1].top == 117)
        let window = try llava().visible(size)
        // 24 rows of patches hold 7 of the picture: 8 are dropped on either side.
        #expect(window.rows == 8 && window.columns == 72)
    }

    @Test func anInternVLPictureIsTiledToItsAspect() throws {
        let tiling = try InternVLTiling(tile: 448, patch: 14, tileCounts: 1...12)
        #expect(tiling.tokensPerTile == 256)
        #expect(try tiling.plan(ImageSize(side: 448)).tileCount == 1)
        #expect(
            tiling.bestGrid(ImageSize(height: 900, width: 1800)) == ImageSize(height: 2, width: 4))
        #expect(
            tiling.bestGrid(ImageSize(height: 90, width: 180)) == ImageSize(height: 1, width: 2))
        #expect(try tiling.tokenCount(ImageSize(height: 900, width: 1800)) == 9 * 256)
    }

    @Test func aQwenPictureKeepsItsSizeWithinLimits() throws {
        let tiling = try QwenVLTiling(patch: 14, pixels: 3136...12_845_056)
        #expect(
            try tiling.resized(ImageSize(height: 1000, width: 1500))
                == ImageSize(height: 1008, width: 1512))
        #expect(try tiling.tokenCount(ImageSize(side: 224)) == 64)
        // Python rounds halves to even: 42 / 28 = 1.5 becomes 2, 70 / 28 = 2.5 becomes 2.
        let small = try QwenVLTiling(patch: 14, pixels: 1...1_000_000)
        #expect(
            try small.resized(ImageSize(height: 42, width: 70))
                == ImageSize(height: 56, width: 56))
        #expect(throws: ImageError.badAspect(width: 2001, height: 10, ratioMax: 200)) {
            try tiling.resized(ImageSize(height: 10, width: 2001))
        }
    }

    @Test func cogVLMHasOneSquare() throws {
        let first = try CogVLMTiling(tile: 490, patch: 14, merge: 1)
        let second = try CogVLMTiling(tile: 1344, patch: 14, merge: 2)
        #expect(first.tokenCount == 1227 && second.tokenCount == 2306)
    }

    @Test func settingsThatMakeNoSenseAreRefused() {
        #expect(throws: ImageError.self) {
            try LLaVANeXTTiling(tile: 336, patch: 14, pinpoints: [])
        }
        #expect(throws: ImageError.self) {
            try LLaVANeXTTiling(
                tile: 336, patch: 14, pinpoints: [ImageSize(height: 336, width: 500)])
        }
        #expect(throws: ImageError.self) {
            try InternVLTiling(tile: 450, patch: 14, tileCounts: 1...12)
        }
        #expect(throws: ImageError.self) { try QwenVLTiling(patch: 0, pixels: 1...2) }
        #expect(throws: ImageError.self) { try CogVLMTiling(tile: 490, patch: 13, merge: 1) }
        #expect(throws: ImageError.self) {
            try PixelNormaliser(mean: [0, 0], deviation: [1, 1, 1], .folded)
        }
        #expect(throws: ImageError.self) {
            try PixelNormaliser(mean: [0, 0, 0], deviation: [1, 0, 1], .folded)
        }
    }

    @Test func picturesWithoutPixelsAreRefused() throws {
        let none = ImageSize(height: 0, width: 5)
        #expect(throws: ImageError.badSize(width: 5, height: 0)) { try llava().plan(none) }
        #expect(throws: ImageError.badSize(width: 5, height: 0)) {
            try QwenVLTiling(patch: 14, pixels: 3136...9408).resized(none)
        }
    }

    @Test func theWaysToNormaliseAgreeToTheLastBits() throws {
        let image = RawFile.noise(width: 20, height: 20)
        let planes = try NormaliseArithmetic.allCases.map { arithmetic in
            try PixelNormaliser(
                mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], arithmetic
            ).planes(of: image)
        }
        #expect(zip(planes[0], planes[1]).allSatisfy { abs($0 - $1) < 2e-6 })
        #expect(planes[0] != planes[1])
    }
}
