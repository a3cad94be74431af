import Training

// The contract and the library name the same things alike. Files that know both say which they
// mean: `Messages.X` for the contract's, these names for the library's. (The contract's service is
// called `Training` too, so the library's module cannot be named there.)

typealias RunPart = ModelPart
typealias RunMethod = TuningMethod
typealias RunStepMeasures = StepMeasures
typealias RunPartTuning = PartTuning
typealias RunOverlength = OverlengthPolicy
typealias RunBadRows = BadRowPolicy
typealias RunLossTurns = LossTurns
typealias RunOptimiserTuning = OptimiserTuning
typealias RunEarlyStopping = EarlyStopping
typealias RunAdapterTuning = AdapterTuning
typealias RunBatchTuning = BatchTuning
