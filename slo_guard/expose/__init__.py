"""What others see: the metrics page, the API and the web page."""
