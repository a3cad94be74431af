import Generation
import Layers
import Messages
import Models
import Numerics
import Operation
import Resources

extension ServedModel {
    /// `GetModelInfo`.
    func describe(
        _ request: GetModelInfoRequest, messageBytesMax: Int
    ) async throws -> GetModelInfoResponse {
        let target = try await target(request.name)
        let adapter: ServedAdapter? =
            if let known = target.adapter { try await shelf.adapter(known.name) } else { nil }
        let (load, cacheBytes) = await (engine.load, engine.cacheBytes)
        let config = model.model.decoder.config
        return .with {
            $0.model = facts.name
            $0.architecture = facts.architecture
            $0.modelSha256 = facts.digest
            $0.weightFormat = facts.weightFormat
            $0.cacheFormat = facts.cacheFormat
            $0.parameterCount = UInt64(model.parameters.reduce(0) { $0 + $1.shape.count })
            $0.contextTokensMax = UInt32(config.lengthMax)
            $0.imagesMax = UInt32(InferenceLimits.imagesMax)
            $0.messageBytesMax = UInt64(messageBytesMax)
            $0.adapter = adapter
            $0.device = facts.device
            $0.programVersion = Build.version
            $0.ready = true
            $0.loadTime = GoogleProtobuf.Timestamp(nanoseconds: facts.loadNanoseconds)
            $0.capacity = capacity(load, cacheBytes: cacheBytes)
        }
    }

    private func capacity(_ load: Engine.Load, cacheBytes: Int) -> ServingCapacity {
        .with {
            $0.runningMax = UInt32(limits.sequencesMax)
            $0.runningCount = UInt32(load.running)
            $0.waitingMax = UInt32(limits.waitingMax)
            $0.waitingCount = UInt32(load.waiting)
            $0.cachePagesMax = UInt64(limits.pages)
            $0.cachePagesFree = UInt64(load.pagesFree)
            $0.pageTokens = UInt32(limits.pageRows)
            $0.stepTokensMax = UInt32(limits.rowsPerStepMax)
            $0.residentAdaptersMax = UInt32(shelf.residentMax)
            $0.residentAdaptersCount = UInt32(shelf.residentCount)
            $0.rankMax = UInt32(AdapterShelf.rankMax)
            $0.cacheBytes = UInt64(cacheBytes)
        }
    }
}
