"""`auscult setup`: five questions, and a configuration that holds."""
