import Testing

/// The repository keeps its own rules.
@Suite struct RepositoryTests {
    private func expectNone(
        _ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for finding in findings.prefix(50) {
            Issue.record(Comment(rawValue: finding.description), sourceLocation: sourceLocation)
        }
        #expect(findings.isEmpty, "\(findings.count) in all", sourceLocation: sourceLocation)
    }

    @Test func theWholeRepositoryIsRead() {
        let paths = Set(Repository.files.map(\.path))
        let expected = ["Package.swift", "Sources/Shared/Base/Bytes.swift", ".ci/run", "LICENSE"]
        #expect(paths.isSuperset(of: expected))
        #expect(SwiftSource.all.contains { $0.outline.declarations.count > 10 })
    }

    @Test func functionsAreShort() {
        expectNone(SwiftSource.all.flatMap(SwiftRules.longFunctions))
        expectNone(Repository.files.flatMap(OtherLanguageRules.longFunctions))
    }

    @Test func functionsTakeFewParameters() {
        expectNone(SwiftSource.all.flatMap(SwiftRules.longParameterLists))
    }

    @Test func filesAreShort() { expectNone(Repository.files.flatMap(TextRules.longFile)) }

    @Test func linesFit() { expectNone(Repository.files.flatMap(TextRules.longLines)) }

    @Test func filesAreSmall() { expectNone(Repository.files.flatMap(TextRules.largeFile)) }

    @Test func nothingTraps() { expectNone(SwiftSource.all.flatMap(SwiftRules.traps)) }

    @Test func promisesToTheCompilerAreExplained() {
        expectNone(SwiftSource.all.flatMap(SwiftRules.unexplainedPromises))
    }

    @Test func namesSaySomething() {
        expectNone(SwiftSource.all.flatMap(SwiftRules.emptyNames))
        expectNone(Repository.files.flatMap(DocumentRules.emptyFolders))
    }

    @Test func whatOthersSeeIsDocumented() {
        let rule = DocumentationRule(protocolsOf: SwiftSource.all)
        expectNone(SwiftSource.all.flatMap(rule.findings))
    }

    @Test func importsFollowTheGraph() {
        expectNone(SwiftSource.all.flatMap(ImportRule.findings))
    }

    @Test func workPutOffHasAnIssue() {
        expectNone(Repository.files.flatMap(TextRules.untrackedWork))
    }

    @Test func noMergeIsUnfinished() {
        expectNone(Repository.files.flatMap(TextRules.mergeMarkers))
    }

    @Test func nothingDependsOnOneMachine() {
        expectNone(Repository.files.flatMap(TextRules.machinePaths))
    }

    @Test func scriptsAreCareful() {
        expectNone(Repository.files.flatMap(OtherLanguageRules.carelessScripts))
    }

    @Test func theContractIsDocumented() {
        expectNone(Repository.files.flatMap(ProtoRules.undocumented))
    }

    @Test func generatedMessagesHaveTheirProtos() {
        expectNone(ProtoRules.strayMessages(Repository.files.map(\.path)))
    }

    @Test func linksLeadSomewhere() { expectNone(DocumentRules.deadLinks(in: Repository.files)) }

    @Test func decisionsAreComplete() { expectNone(DocumentRules.decisions(in: Repository.files)) }

    @Test func ignoredNamesArePlain() {
        expectNone(Repository.files.flatMap(DocumentRules.ignorePatterns))
    }
}
