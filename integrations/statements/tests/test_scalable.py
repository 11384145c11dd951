"""Scalable Capital files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, text, twice

pytestmark = pytest.mark.django_db


def test_scalable_capital(account):
    upload = account("EUR")
    data = text(
        "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
        '2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;US0000000011;;;10;0;1,5;EUR',
        '2024-04-03;09:00:00;Executed;"S-3";"Atlas Inc";Security;Sell;US0000000011;-4;110;440;0,99;2;EUR',
        '2024-03-05;09:00:00;Pending;"S-2";"Atlas Inc";Security;Buy;US0000000011;1;100;-100;0;0;EUR',
        '2024-03-04;09:00:00;Executed;"S-1";"Atlas Inc";Security;Savings plan;US0000000011;10;100,5;-1005;0;0;EUR',
        '2024-03-01;09:00:00;Executed;"S-0";"Bank";Cash;Deposit;;;;2500;0;;EUR',
    )
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("scalable", 3, 2)
    assert held()["ATLAS.EUR.DEMO"] == (6, D("100.5"), 603, D("35.01"), D("8.5"), 0)
    twice(upload, data)
