-- Rows as version 1 wrote them: a node, a reboot's worth of reports, a command, a refusal.
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
