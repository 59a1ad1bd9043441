"""What one gets from django-q2 alone: one task for each message, and the task calls the gateway."""
