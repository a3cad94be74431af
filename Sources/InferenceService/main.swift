import Operation

ServiceMain.run(InferenceServer.definition)
