import Base
import Images
import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `GetExample`.
    func get(_ request: GetExampleRequest, by caller: Principal) async throws -> Example {
        let name = try ExampleName(request.name, field: "name")
        let side = request.thumbnailSidePixels
        guard side == 0 || (16...1_024).contains(side) else {
            throw DatasetError.invalid(
                field: "thumbnail_side_pixels", seen: "\(side)", allowed: "0, or 16 to 1024")
        }
        guard !request.includeVotes || caller.may(.operator_) else {
            throw DatasetError.forbidden(what: "include_votes", role: "operator")
        }
        var message = try await reader.read { db in
            guard let (dataset, row) = try db.example(name) else {
                throw DatasetError.notFound(type: "fovea.dataset.v1.Example", name: "\(name)")
            }
            guard row.payload != nil else { throw DatasetError.erased(name: "\(name)") }
            var message = try row.message(dataset.name)
            if request.includeVotes {
                message.votes = try db.votes(on: row.id, named: name)
                message.adjudications = try db.adjudications(on: row.id, named: name)
            }
            return message
        }
        if message.gold, !caller.may(.trainer) { message.hideAnswer() }
        guard request.includeContent || side > 0 else { return message }
        let size = message.images.reduce(0) { $0 + Int($1.sizeBytes) }
        guard side > 0 || size <= Limits.pageBytesMax else {
            throw DatasetError.tooLarge(
                what: "the images of \(name)", bytes: size, bytesMax: Limits.pageBytesMax)
        }
        try await attachContent(to: &message, side: Int(side))
        return message
    }

    /// Puts image bytes into a row: as stored, or as thumbnails of a side.
    func attachContent(to row: inout Example, side: Int) async throws {
        let digests = row.images.map(\.imageSha256)
        let contents = try await nextPictureReader().contents(digests, side: side)
        for (index, content) in contents.enumerated() { row.images[index].content = content }
    }
}

extension Example {
    /// Takes away what would tell an annotator that the answer is known, or what it is.
    mutating func hideAnswer() {
        gold = false
        if turns.last?.role == .assistant { turns.removeLast() }
        (state, answerOrigin, voteCount) = (.unlabelled, .unspecified, 0)
        (tags, regions, votes, adjudications) = ([], [], [], [])
        // A digest of few possible answers gives the answer away; source keys may hold it.
        (contentSha256, passthroughJSON, guidelines, updateTime) = ("", "", "", nil)
    }
}
