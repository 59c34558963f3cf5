"""YandexGPT and the open-weight models of Yandex Cloud, over REST."""
