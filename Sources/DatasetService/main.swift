import Operation

ServiceMain.run(DatasetServer.definition)
