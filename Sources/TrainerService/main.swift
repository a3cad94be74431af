import Operation

ServiceMain.run(TrainerServer.definition)
