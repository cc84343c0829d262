-- Rows as version 3 wrote them: those of version 2 in part folded, a batch that is not.
INSERT INTO nodes VALUES (1, 'a-1', '{"watermark":52,"highest":52,"above":[],"lost":[],"segments":[["74a53013",1,1,false,-1]],"retired":[],"doubted":false}', 217540369, X'74a530130001000001000001000000004975960200000000000003fe007fffffff', 1795377166.5273008);
INSERT INTO nodes VALUES (2, 'a-2', NULL, 0, NULL, NULL);
INSERT INTO epochs VALUES (1, 1, X'74a53013', 1, 1, 1795377166.5273008, 0);
INSERT INTO frames VALUES (1, 1, 2, 1795377166.5273008, 1777836860, X'17d784783bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO frames VALUES (1, 2, 2, 1795377166.5273008, 1777836920, X'17d784f03bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO frames VALUES (1, 3, 2, 1795377166.5273008, 1777836980, X'17d785683bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO frames VALUES (1, 4, 2, 1795377166.5273008, 1777837040, X'17d785e03bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO frames VALUES (1, 5, 2, 1795377166.5273008, 1777837100, X'17d786583bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO frames VALUES (1, 6, 2, 1795377166.5273008, 1777837160, X'17d786d03bfffffffffffffffffda8fffffffffffffffffffffffffffffe0000ff');
INSERT INTO commands VALUES (1, 1, '{"op": "level", "level": 40, "for_s": 60}', 'done', 1, 217540369, X'74a53013', X'2674a53013ae6774aa0cf76711df01c83842d7238e0b1229c0d2ee77f5d8e8a4aceff7aab218eb0bfbb3a794eebad85e47e07f', NULL, 40, NULL, 1795377167.569122, 1795377227.569122, 1795377167.6249464);
INSERT INTO totals VALUES ('stored', 52);
INSERT INTO losses VALUES (1, 1, 3, 4, 1795377167.5, 'the node holds nothing older');
INSERT INTO refusals VALUES ('a-1', 'seal', 2, 1795377167.5);
INSERT INTO configs VALUES (1, 2, X'cede691fbdbb7b87', X'60444c5b3f60878dd1353ee891e3bbee2e34d538b697b0b0c1fbae342a72eafcd34063d4a7e05cb10fc2291a64a7b040a21d608871ffe66f9c0ed922673116ed8af22dae1aa30ae4f747ca3c24941501631cdcb78cb3e13dfd1cf758d0135e', 1795880633.1553698, 1795880633.173046);
INSERT INTO configs VALUES (1, 3, X'e595aa7eda54abeb', X'8e647dc2c8a759b30b30b9010d59093865acb2e82e1c7b5184a71ffc3b4b3c96d9aad31cca3bc0e9edbdc0e80043af61cd160b118913d512fc82fae742f43c1112fcd28e4349461fa1f3ada036f7625dfe4637a08e4203ad192d8b176db8b7', 1795880633.1810255, 1795880633.193097);
INSERT INTO configs VALUES (1, 4, X'cede691fbdbb7b87', X'5f75558f83041e7d177c4ef6e5954ed2e2a14a34a3f2f03790d3f2788ab8400290c7f62264f636639f1b1f5ea1cfe0377d1f5491fb37a4895cc03823b1b6a017217e323dc61699faf75c993cc7562dde2ac18a4f31de603e5d094b3bd004e6', 1795880633.2012076, NULL);
INSERT INTO rollouts VALUES (1, 4, 'offered', 0, 300, 218043842, NULL, NULL, 1795880633.201124, 1795880633.2014513);
