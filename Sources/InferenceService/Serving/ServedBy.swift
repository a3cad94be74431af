import Generation
import Messages
import Operation

extension ServedModel {
    /// Who answers.
    func servedBy(_ target: ServingTarget) -> ServedBy {
        .with {
            $0.model = facts.name
            $0.modelSha256 = facts.digest
            $0.adapterSha256 = target.adapter?.name ?? ""
            $0.alias = target.alias
            $0.device = facts.device
            $0.programVersion = Build.version
        }
    }

    /// Finds who is asked for. An alias counts as it stands now.
    func target(_ name: String) async throws -> ServingTarget {
        if name.isEmpty || name == facts.name { return ServingTarget() }
        return try await shelf.target(name)
    }
}
